"""Deterministic simulation testing: the app's own stages over its memory adapters, on a virtual clock, under faults.

* ``scenario`` and ``fault_injection`` draw from the seed what happens and what goes wrong.
* ``workload`` and ``scanners`` act as builders, users and scanners; ``cloud`` and ``functions_host`` as the platform.
* ``interception`` puts every call of a port through fault injection; ``scheduler`` owns time and order.
* ``invariants`` check the laws at every call, ``final_checks`` at the end, both against ``ground_truth``.
* ``mutants`` switch protections off, to show that the checks detect it.
"""
