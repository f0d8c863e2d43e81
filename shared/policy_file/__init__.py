"""``promotion.yaml``: text in, a checked ``Policy`` out, or every fault in it at once, each with its line.

``load_policy`` and ``read_file`` are the doors. Inside: ``tree`` reads YAML with places and bounds, ``models`` and
``fields`` say what the file may hold, ``checks`` compares its parts, ``build`` makes the domain's values and their
digests, ``reference`` writes the documentation and the JSON Schema from the models.

Nothing here asks Azure whether a thing exists, and nothing reads a clock: a policy does not become invalid overnight.

    >>> try:
    ...     load_policy("definitions: []", name="promotion.yaml")
    ... except PolicyFaults as faults:
    ...     print(str(faults).splitlines()[0])
    promotion.yaml:1:...: ...
"""

from shared.policy_file.load import load_policy, read_file
from shared.policy_file.policy_faults import Fault, PolicyFaults

__all__ = ["Fault", "PolicyFaults", "load_policy", "read_file"]
