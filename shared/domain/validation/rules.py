"""The rules by which validation judges a version's metadata: one table, by id.

A finding of validation carries the id of its rule. The policy sets the severity of a rule (``validation.rules``), and
waives it for a time (``validation.waivers``), both by id. ``docs/validation-rules.md`` is generated from the table.

* A rule with ``locked`` holds a law, or has a policy key of its own. It has one severity, and cannot be waived.
* A rule with ``needs`` is applied only where the policy has that key.
* A finding can be milder than its rule, for example where Azure does not say what the rule asks for: then it is a
  warning of a rule that otherwise rejects. A severity that the policy sets holds for every finding of the rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from shared.domain.validation.rule import Rule, RuleSeverity
from shared.domain.validation.rules_image import IMAGE
from shared.domain.validation.rules_origin import ORIGIN
from shared.domain.validation.rules_rings import RINGS

__all__ = ["GROUPS", "RULES", "Rule", "RuleSeverity"]

GROUPS: Final[Mapping[str, tuple[Rule, ...]]] = MappingProxyType(
    {"The version and its definition": IMAGE, "Source and builder": ORIGIN, "Rings, regions and limits": RINGS}
)
RULES: Final[Mapping[str, Rule]] = MappingProxyType({rule.id: rule for group in GROUPS.values() for rule in group})
"""Every rule by id."""
