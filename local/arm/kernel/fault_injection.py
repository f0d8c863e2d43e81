"""A plan of faults: which requests meet which misfortune. Rules are data, their dice are seeded."""

import re
from dataclasses import asdict, dataclass, field, fields
from random import Random
from typing import Any

from local.arm.kernel.clock import Clock
from local.arm.kernel.conditions import CONDITIONS
from local.arm.kernel.errors import ArmError
from local.arm.kernel.messages import RoutedRequest
from local.arm.kernel.store import Store

KINDS = ("throttle", "error", "latency", "timeout", "drop_response_after_effect", "fail_operation", *CONDITIONS)


class BadRule(Exception):
    """A rule that cannot be used."""


@dataclass(slots=True)
class Rule:
    """One rule: a pattern of requests and what befalls them.

    `method`, `operation` (an OpenAPI operation id, compared without case) and `resource` (a regular expression searched
    in the path, without case) must all match where given. Of the matching requests the rule takes those whose ordinal
    is in `nth` (from 1; empty: all), each with `probability`, at most `times` (None: no end).

    `fault`: `throttle` (429, `retry_after` seconds or without that header), `error` (answers `status`, `code`,
    `message` and does nothing), `latency` (`seconds` longer), `timeout` (no answer for `seconds`, then the connection
    closes, nothing done), `drop_response_after_effect` (all is done, then the connection closes) and `fail_operation`
    (accepted, but the long-running operation ends Failed with `code` and `message`). `error` is the whole error object
    (`code`, `message` and what else it has: `target`, `details`, `innererror`) where code and message are not all of
    it.

    Or it is a condition (`conditions.py`), which refuses what it is about in Azure's words: `subscription-not-found`,
    `group-not-found`, `gallery-not-found`, `reading-denied`, `terms-not-accepted`, `tag-policy` (with the names of
    `tags`).

    A rule is in force from `after` seconds of Azure's time after the plan was set, for `lasting` seconds (None: no
    end).
    """

    fault: str
    method: str | None = None
    operation: str | None = None
    resource: str | None = None
    nth: list[int] = field(default_factory=list)
    times: int | None = None
    probability: float = 1.0
    status: int = 500
    code: str = "InternalServerError"
    message: str = "The server encountered an internal error. Please retry the request."
    error: dict[str, Any] | None = None
    retry_after: int | None = None
    seconds: float = 30
    tags: list[str] = field(default_factory=list)
    after: float = 0
    lasting: float | None = None
    since: float = 0
    seen: int = 0
    applied: int = 0

    def raised(self, status: int, headers: dict[str, str] | None = None) -> ArmError:
        """The rule's error, with this status."""
        known: dict[str, Any] = {"code": self.code, "message": self.message} | (self.error or {})
        extra = {key: value for key, value in known.items() if key not in ("code", "message", "target", "details")}
        return ArmError(
            status,
            known["code"],
            known["message"],
            target=known.get("target"),
            details=known.get("details") or (),
            headers=headers,
            extra=extra,
        )

    def in_force(self, now: float, clock: Clock) -> bool:
        """Whether its time has come and is not over; `since` is when the plan was set (epoch)."""
        begin = self.since + clock.scaled(self.after)
        return begin <= now and (self.lasting is None or now < begin + clock.scaled(self.lasting))

    def matches(self, method: str, operation: str, path: str) -> bool:
        """Whether the rule is about this request at all."""
        return (
            (self.method is None or self.method.upper() == method)
            and (self.operation is None or self.operation.lower() == operation.lower())
            and (self.resource is None or re.search(self.resource, path, re.IGNORECASE) is not None)
        )

    def wants(self, dice: Random) -> bool:
        """Count a matching request and say whether this one is taken."""
        self.seen += 1
        if self.times is not None and self.applied >= self.times:
            return False
        if self.nth and self.seen not in self.nth:
            return False
        if dice.random() >= self.probability:
            return False
        self.applied += 1
        return True


def read_rules(given: Any) -> list[Rule]:
    """Rules from parsed JSON: a list of objects with `match` {method, operation, resource_regex} and the fields of
    Rule.

    Raises BadRule that names the rule and the field.
    """
    if not isinstance(given, list):
        raise BadRule("a fault plan is a list of rules")
    return [_read_rule(index, one) for index, one in enumerate(given)]


def _read_rule(index: int, given: Any) -> Rule:
    if not isinstance(given, dict) or given.get("fault") not in KINDS:
        raise BadRule(f"rule {index}: 'fault' must be one of {', '.join(KINDS)}")
    flat = {key: value for key, value in given.items() if key != "match"} | given.get("match", {})
    if "resource_regex" in flat:
        flat["resource"] = flat.pop("resource_regex")
    if isinstance(flat.get("nth"), int):
        flat["nth"] = [flat["nth"]]
    unknown = set(flat) - {one.name for one in fields(Rule)}
    if unknown:
        raise BadRule(f"rule {index}: unknown fields {', '.join(sorted(unknown))}")
    if not isinstance(flat.get("error") or {}, dict):
        raise BadRule(f"rule {index}: 'error' must be an error object: code, message, details …")
    if (flat["fault"] == "tag-policy") != bool(flat.get("tags")):
        raise BadRule(f"rule {index}: 'tags' are the names that a 'tag-policy' demands")
    try:
        re.compile(flat.get("resource") or "")
    except re.error as fault:
        raise BadRule(f"rule {index}: resource_regex: {fault}") from fault
    return Rule(**flat)


class FaultPlan:
    """The rules in force, with their counts, kept over a restart."""

    def __init__(self, store: Store, clock: Clock, dice: Random) -> None:
        """Take up the stored rules."""
        self._store = store
        self._table = store.table("fault")
        self._clock = clock
        self._dice = dice
        stored = self._table.get("rules")
        self.rules = [Rule(**one) for one in stored["rules"]] if stored else []

    def replace(self, rules: list[Rule]) -> None:
        """Put other rules in force, counting from nothing."""
        self.rules = rules
        for rule in rules:
            rule.since = self._clock.now()
        self._save()

    def draw(self, request: RoutedRequest) -> list[Rule]:
        """The rules that befall this request; every matching rule counts it.

        What is not of ARM (tokens, metadata) meets only rules that name its operation.
        """
        route = request.route
        about = [rule for rule in self.rules if rule.operation or not route.public]
        timely = [rule for rule in about if rule.in_force(request.now, self._clock)]
        matching = [rule for rule in timely if rule.matches(request.method, route.name, request.path)]
        matching = [rule for rule in matching if rule.fault not in CONDITIONS or self.refusal(rule, request)]
        taken = [rule for rule in matching if rule.wants(self._dice)]
        if matching:
            self._save()
        return taken

    def refusal(self, rule: Rule, request: RoutedRequest) -> ArmError | None:
        """What a condition answers, or None when the request is not about it."""
        return CONDITIONS[rule.fault](request, self._store, rule.tags)

    def denies_reading(self, scope: str, now: float) -> bool:
        """Whether a rule keeps callers from reading what is below a scope, for lists over several scopes."""
        denying = (rule for rule in self.rules if rule.fault == "reading-denied")
        return any(
            rule.in_force(now, self._clock) and rule.matches("GET", rule.operation or "", scope) for rule in denying
        )

    def _save(self) -> None:
        self._table["rules"] = {"rules": [asdict(rule) for rule in self.rules]}
