"""Every rule of validation: a fact that it finds, and what the policy can make of it."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.domain.activity import Activity, ActivityRecord
from shared.domain.boot_test.machine_sizes import SizeFacts
from shared.domain.facts import (
    ExecutedValidation,
    ProvisioningState,
    RegionTargetFacts,
    ResourceRange,
    SourceFacts,
    SourceKind,
    VersionFacts,
)
from shared.domain.image import VersionNumber
from shared.domain.policy import BootRules, DefinitionPolicy, RegionTarget, Ring, ValidationRules, VisibleBeforeProof
from shared.domain.validation.facts import ValidationFacts
from shared.domain.validation.findings import FindingSeverity
from shared.domain.validation.origin import is_within
from shared.domain.validation.policy import (
    EndOfLifeRules,
    NumberFormat,
    NumberOrder,
    NumberRules,
    OwnerKind,
    OwnerRules,
    Waiver,
)
from shared.domain.validation.rule import RuleSeverity
from shared.domain.validation.rules import RULES
from shared.domain.validation.verdict import ValidationOutcome, ValidationVerdict, applied_rules, validate
from tests.unit.domain.test_validation import DEFINITION, FACTS, NOW, POLICY, SOURCE, TARGET, VERSION

DOMAIN = Path(__file__).parents[3] / "shared" / "domain"
ROBOT, STRANGER = "aaaaaaaa-0000-4000-8000-000000000001", "bbbbbbbb-0000-4000-8000-000000000002"
VM = "/subscriptions/s/resourceGroups/build/providers/Microsoft.Compute/virtualMachines/vm1"
FAILED, GONE = ProvisioningState.FAILED, SourceFacts(SourceKind.GONE, VM)
WESTEUROPE = RegionTargetFacts("westeurope")
MACHINE = FACTS.source or GONE
OWN_KEY = (replace(WESTEUROPE, kept={"encryption": {"osDiskImage": {"diskEncryptionSetId": "/s"}}}),)
SMALL = SizeFacts(name="Standard_A", architecture="x64", zones=())


@dataclass(frozen=True)
class Case:
    """A fact, and the severity of the finding of the rule ``code`` on it."""

    code: str
    severity: str = "error"
    version: dict[str, Any] = field(default_factory=dict[str, Any])
    facts: dict[str, Any] = field(default_factory=dict[str, Any])
    source: dict[str, Any] = field(default_factory=dict[str, Any])
    definition: dict[str, Any] = field(default_factory=dict[str, Any])
    rules: dict[str, Any] = field(default_factory=dict[str, Any])
    policy: dict[str, Any] = field(default_factory=dict[str, Any])

    def __str__(self) -> str:
        return f"{self.code}-{self.severity}"

    @property
    def given(self) -> ValidationFacts:
        """The facts of the case."""
        changed = {
            "version": replace(VERSION, **self.version),
            "source": replace(MACHINE, **self.source),
            "definition": replace(DEFINITION, **self.definition),
            **self.facts,
        }
        return replace(FACTS, **changed)

    def judged(self, **rules: Any) -> ValidationVerdict:
        """The verdict, with further rules of the policy."""
        wanted: DefinitionPolicy = replace(POLICY, validation=ValidationRules(**{**self.rules, **rules}), **self.policy)
        waiting = NOW - timedelta(days=1)
        return validate(self.given, wanted, now=NOW, waiting_since=waiting)


def sibling(number: str, **changes: Any) -> VersionFacts:
    return replace(VERSION, id=SOURCE.version(VersionNumber.parse(number)), **changes)


def rings(*regions: RegionTarget) -> dict[str, Any]:
    return {"rings": (Ring("canary", SOURCE, regions),)}


def by(identity: str) -> Activity:
    record = ActivityRecord("Microsoft.Compute/galleries/images/versions/write", NOW, identity, identity)
    return Activity(record, record)


IN_TARGET = {"rings": (Ring("production", TARGET, (RegionTarget("eastus"),)),)}
UNTESTED = {"rings": (Ring("canary", SOURCE, (RegionTarget("westeurope"),), boot_test=False),)}
BOOTS = {"boot": BootRules(vm_sizes=("Standard_A", "Standard_B"))}
ARM = replace(SMALL, architecture="Arm64")
CASES = (
    Case("version-gone", facts={"version": None}),
    Case("version-state", version={"provisioning_state": FAILED}),
    Case("not-ready-in-time", version={"provisioning_state": ProvisioningState.CREATING}),
    Case("definition-gone", facts={"definition": None}),
    Case("definition-state", definition={"provisioning_state": FAILED}),
    Case("gallery-gone", facts={"gallery": None}),
    Case("gallery-state", facts={"gallery": FACTS.gallery and replace(FACTS.gallery, provisioning_state=FAILED)}),
    Case("visible-before-proof", "warning", version={"excluded": False}),
    Case(
        "visible-before-proof",
        version={"excluded": False},
        rules={"visible_before_proof": VisibleBeforeProof.REJECT},
    ),
    Case("policy-violation", version={"reported_for_policy_violation": True}),
    Case("platform-validation", version={"validations": (ExecutedValidation("x", "Failed"),)}),
    Case("platform-validation", "warning", version={"validations": (ExecutedValidation("x", "Unknown"),)}),
    Case(
        "trusted-launch-unvalidated",
        "warning",
        definition={"features": {"SecurityType": "TrustedLaunchSupported"}},
        rules={"severities": {"trusted-launch-unvalidated": RuleSeverity.WARN}},
    ),
    Case("shallow", "warning", version={"replication_mode": "Shallow"}),
    Case("end-of-life", version={"end_of_life": NOW}),
    Case("end-of-life-missing", rules={"end_of_life": EndOfLifeRules()}),
    Case(
        "end-of-life-near",
        version={"end_of_life": NOW + timedelta(days=89)},
        rules={"end_of_life": EndOfLifeRules(at_least=timedelta(days=90))},
    ),
    Case("security-type", definition={"features": {"SecurityType": "TrustedLaunch"}, "hyper_v_generation": "V1"}),
    Case("tag-missing", rules={"required_tags": {"build": None}}),
    Case("tag-value", version={"tags": {"build": "x"}}, rules={"required_tags": {"build": re.compile("[0-9]+")}}),
    Case("owner-tag", rules={"owner": OwnerRules()}),
    Case("owner-tag", version={"tags": {"Owner": "the platform team"}}, rules={"owner": OwnerRules()}),
    Case(
        "owner-tag",
        version={"tags": {"owner": "a@example.com"}},
        rules={"owner": OwnerRules(kinds=(OwnerKind.ENTRA_ID,))},
    ),
    Case("disk-size-unknown", "warning", version={"os_disk_gb": None}),
    Case("disk-size", version={"os_disk_gb": 3000}),
    Case("number-order", "warning", facts={"newest_published": VersionNumber(2, 0, 0)}),
    Case(
        "number-order",
        facts={"siblings": (sibling("1.3.0"),)},
        rules={"numbers": NumberRules(order=NumberOrder.ASCENDING)},
    ),
    Case(
        "number-format",
        version={"id": SOURCE.version(VersionNumber.parse("1.02.3"))},
        rules={"numbers": NumberRules()},
    ),
    Case("number-format", rules={"numbers": NumberRules(NumberFormat.CALENDAR)}),
    Case("number-format", rules={"numbers": NumberRules(NumberFormat.PATTERN, re.compile("2.*"))}),
    Case("number-gap", "warning", facts={"siblings": (sibling("1.2.1"),)}, rules={"numbers": NumberRules()}),
    Case("number-duplicate", facts={"siblings": (sibling("1.02.3"),)}, rules={"numbers": NumberRules()}),
    Case(
        "number-duplicate",
        facts={"twins": {TARGET: replace(VERSION, id=TARGET.version(VERSION.id.number), source_id="/other")}},
        rules={"numbers": NumberRules()},
    ),
    Case("source-gone", "warning", facts={"source": GONE}),
    Case("source-unread", "warning", facts={"source": SourceFacts(SourceKind.VM, VM, unread=True)}),
    Case("source-not-approved", version={"source_id": VM}, rules={"sources": ("/subscriptions/other",)}),
    Case("source-not-approved", rules={"sources": ("/subscriptions/s",)}),
    Case("builder-not-approved", facts={"builder": STRANGER}, rules={"builders": frozenset({ROBOT})}),
    Case("builder-not-approved", facts={"activity": by(STRANGER)}, rules={"builders": frozenset({ROBOT})}),
    Case(
        "builder-not-approved",
        facts={"builder": ROBOT, "activity": by(STRANGER)},
        rules={"builders": frozenset({ROBOT})},
    ),
    Case("builder-unknown", rules={"builders": frozenset({ROBOT})}),
    Case("activity-log-unread", "warning", facts={"activity": Activity(unread="403")}),
    Case("os-state", source={"os_state": "Specialized"}),
    Case("os-type", source={"os_type": "Windows"}),
    Case("generation", source={"hyper_v_generation": "V1"}),
    Case("architecture", source={"architecture": "Arm64"}),
    Case("source-running", source={"power": "running"}),
    Case("source-running", "warning", source={"power": None}),
    Case("source-changed", "warning", source={"used_at": NOW}),
    Case("source-changed", "warning", source={"used_at": None}),
    Case(
        "source-changed",
        "warning",
        facts={"source": SourceFacts(SourceKind.GALLERY_VERSION, "/v", created_at=NOW)},
    ),
    Case(
        "source-reused",
        "warning",
        source={"id": VM},
        facts={"siblings": (sibling("1.2.2", source_vm_id=VM.upper(), tags={"build": "1"}, published_at=NOW),)},
    ),
    Case("source-password", "warning", source={"password_login": True}),
    Case("ring-definition-gone", facts={"ring_definitions": {}}),
    Case(
        "ring-definition-state",
        facts={"ring_definitions": {TARGET: replace(DEFINITION, id=TARGET, provisioning_state=FAILED)}},
    ),
    Case(
        "ring-definition-differs",
        facts={"ring_definitions": {TARGET: replace(DEFINITION, id=TARGET, os_type="Windows")}},
    ),
    Case(
        "ring-definition-for-consumers",
        "warning",
        facts={"ring_definitions": {TARGET: replace(DEFINITION, id=TARGET, disallowed_disk_types=("Premium_LRS",))}},
    ),
    Case("shallow-elsewhere", version={"replication_mode": "Shallow"}),
    Case("encrypted-copy", version={"targets": OWN_KEY}),
    Case(
        "encryption-set-missing",
        version={"targets": OWN_KEY},
        policy=rings(RegionTarget("westeurope"), RegionTarget("eastus")),
    ),
    Case(
        "confidential-elsewhere",
        definition={"features": {"SecurityType": "ConfidentialVM"}},
        policy=rings(RegionTarget("eastus")),
    ),
    Case("vm-sizes-unread", "warning", facts={"sizes_unread": "403"}),
    Case("vm-size", facts={"sizes": {"westeurope": {"standard_a": ARM}}}, policy=BOOTS),
    Case("vm-size-unusable", "warning", facts={"sizes": {"westeurope": {"standard_a": SMALL}}}, policy=BOOTS),
    Case(
        "vm-size-restricted",
        "warning",
        facts={"sizes": {"westeurope": {"standard_a": replace(SMALL, restricted="QuotaId")}}},
        policy=BOOTS,
    ),
    Case(
        "vm-size-not-recommended",
        "warning",
        facts={"sizes": {"westeurope": {"standard_a": replace(SMALL, cores=1)}}},
        definition={"recommended": {"vCPUs": ResourceRange(2, 8)}},
        policy=BOOTS,
    ),
    Case("no-twin", "warning", policy=UNTESTED),
    Case("target-storage", "warning", policy=rings(RegionTarget("westeurope", storage="Premium_LRS"))),
    Case("target-region-extra", "warning", version={"targets": (WESTEUROPE, RegionTargetFacts("uksouth"))}),
    Case("target-region-extra", "warning", version={"targets": (replace(WESTEUROPE, replicas=2),)}),
    Case(
        "zone-storage",
        facts={"sizes": {"eastus": {"standard_a": SMALL}}},
        policy=rings(RegionTarget("eastus", storage="Standard_ZRS")),
    ),
    Case("zone-storage", "warning", policy=rings(RegionTarget("eastus", storage="Standard_ZRS"))),
    Case("replica-limit", "warning", version={"targets": (replace(WESTEUROPE, replicas=91),)}),
    Case("replica-limit", version={"targets": (replace(WESTEUROPE, replicas=101),)}),
    Case("version-limit", "warning", facts={"siblings": (VERSION,) * 9_000}),
    Case("gallery-limit", "warning", facts={"galleries": 91}),
    Case("galleries-unread", "warning", facts={"galleries_unread": "403"}),
    Case("disk-limit", "warning", version={"os_disk_gb": 2000}),
)


def severities(verdict: ValidationVerdict, code: str) -> set[str]:
    return {each.severity.value for each in verdict.findings if each.code == code}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_fact_is_found_by_its_rule(case: Case) -> None:
    assert severities(case.judged(), case.code) == {case.severity}


def test_every_rule_finds_something() -> None:
    assert {case.code for case in CASES} == set(RULES)


def test_every_finding_that_the_code_names_has_a_rule() -> None:
    named: set[str] = set()
    for path in DOMAIN.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            called = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
            if isinstance(node, ast.Call) and called in {"error", "warning", "finding", "say"} and node.args:
                first = node.args[0]
                named |= {first.value} if isinstance(first, ast.Constant) and isinstance(first.value, str) else set()
    assert len(named) > 40
    assert named <= set(RULES)


def test_every_rule_says_what_people_need() -> None:
    for rule in RULES.values():
        assert all((rule.proves, rule.cause, rule.cure, rule.source)), rule.id


def test_no_rule_that_needs_a_key_is_applied_without_it() -> None:
    applied = applied_rules(ValidationRules())
    assert {rule for rule, severity in applied.items() if severity is RuleSeverity.OFF} == {
        "trusted-launch-unvalidated",
        *(rule.id for rule in RULES.values() if rule.needs),
    }


class TestSeverity:
    LOWERED = tuple(case for case in CASES if not RULES[case.code].locked)

    @pytest.mark.parametrize("case", LOWERED, ids=str)
    def test_a_rule_that_is_off_finds_nothing(self, case: Case) -> None:
        assert severities(case.judged(severities={case.code: RuleSeverity.OFF}), case.code) == set()

    @pytest.mark.parametrize("case", LOWERED, ids=str)
    def test_a_severity_of_the_policy_holds_for_every_finding(self, case: Case) -> None:
        assert severities(case.judged(severities={case.code: RuleSeverity.WARN}), case.code) == {"warning"}
        assert severities(case.judged(severities={case.code: RuleSeverity.ERROR}), case.code) == {"error"}

    @pytest.mark.parametrize("case", [case for case in CASES if RULES[case.code].locked], ids=str)
    def test_a_rule_that_a_law_needs_can_be_neither_lowered_nor_waived(self, case: Case) -> None:
        waiver = Waiver(case.code, "owner", "reason", NOW + timedelta(days=1))
        verdict = case.judged(severities={case.code: RuleSeverity.OFF}, waivers=(waiver,))
        assert severities(verdict, case.code) == {case.severity}


class TestWaivers:
    CASE = Case("disk-size", version={"os_disk_gb": 3000})

    def judged(self, **changes: Any) -> ValidationVerdict:
        waiver = Waiver("disk-size", "platform@example.com", "until the split", NOW + timedelta(days=1))
        return self.CASE.judged(waivers=(replace(waiver, **changes),))

    def test_a_waived_finding_passes_and_names_its_owner(self) -> None:
        verdict = self.judged()
        assert verdict.outcome is ValidationOutcome.PASS
        (found,) = verdict.findings
        assert found.severity is FindingSeverity.WAIVED
        assert "waived by platform@example.com until 2026-05-11 (until the split)" in found.text

    def test_an_expired_waiver_has_no_effect_and_the_finding_says_so(self) -> None:
        verdict = self.judged(expires=NOW - timedelta(seconds=1))
        assert verdict.outcome is ValidationOutcome.REJECT
        assert "the waiver of platform@example.com expired on 2026-05-10" in verdict.texts[0]

    def test_a_waiver_holds_for_its_versions_and_its_rule_alone(self) -> None:
        assert self.judged(versions=(VERSION.id.number,)).outcome is ValidationOutcome.PASS
        assert self.judged(versions=(VersionNumber(9, 9, 9),)).outcome is ValidationOutcome.REJECT
        assert self.judged(rule="tag-missing").outcome is ValidationOutcome.REJECT


class TestOrigin:
    @pytest.mark.parametrize(
        ("pattern", "approved"),
        [
            ("/subscriptions/S", True),
            ("/subscriptions/s/resourcegroups/build/", True),
            ("/subscriptions/*/resourceGroups/bui*", True),
            ("/subscriptions/s/resourceGroups/bui", False),
            (f"{VM}/more", False),
            ("/subscriptions/s/*/virtualMachines/*", False),
        ],
    )
    def test_a_source_is_approved_by_itself_or_by_what_contains_it(self, pattern: str, *, approved: bool) -> None:
        assert is_within(VM, pattern) is approved

    def test_every_disk_of_a_version_needs_an_approved_source(self) -> None:
        disks = {"disk_source_ids": ("/subscriptions/s/disks/os", "/subscriptions/other/disks/data")}
        verdict = Case("source-not-approved", version=disks, rules={"sources": ("/subscriptions/s",)}).judged()
        assert [each.text for each in verdict.findings if "/other/" in each.text]
        assert len([each for each in verdict.findings if each.code == "source-not-approved"]) == 1

    @pytest.mark.parametrize(
        "facts",
        [
            {"builder": ROBOT.upper()},
            {"activity": by(ROBOT)},
            {"builder": ROBOT, "activity": Activity(unread="403")},
            {"builder": STRANGER, "activity": Activity(ActivityRecord("w", NOW, "", STRANGER, ROBOT))},
        ],
        ids=["event", "log", "event alone", "another id of the same caller"],
    )
    def test_an_approved_builder_passes(self, facts: dict[str, Any]) -> None:
        case = Case("builder-unknown", facts=facts, rules={"builders": frozenset({ROBOT})})
        assert case.judged().outcome is ValidationOutcome.PASS

    @pytest.mark.parametrize(
        "other",
        [{"tags": {}}, {"tags": {"build": "1"}, "published_at": NOW - timedelta(days=9)}],
        ids=["the same tags", "a machine that was made since"],
    )
    def test_the_same_build_or_another_machine_is_no_reuse(self, other: dict[str, Any]) -> None:
        siblings = (sibling("1.2.2", source_vm_id=VM, **{"published_at": NOW, **other}),)
        case = Case("source-reused", source={"id": VM}, facts={"siblings": siblings})
        assert case.judged().findings == ()

    def test_a_running_machine_is_a_warning_for_a_specialized_image(self) -> None:
        case = Case(
            "source-running",
            definition={"os_state": "Specialized"},
            source={"os_state": "Specialized", "power": "running"},
            policy=rings(RegionTarget("westeurope")),
        )
        assert severities(case.judged(), "source-running") == {"warning"}


@pytest.mark.parametrize(
    ("number", "wanted"),
    [
        ("2026.11.28", True),
        ("2026.11.0", True),
        ("2026.13.1", False),
        ("202611.28.0", True),
        ("202611.31.0", False),
        ("20261128.1.0", True),
        ("20261399.1.0", False),
        ("1.2.3", False),
        ("0.0.0", False),
        ("2147483647.0.0", False),
    ],
)
def test_a_calendar_number_begins_with_a_date(number: str, *, wanted: bool) -> None:
    version = {"id": SOURCE.version(VersionNumber.parse(number))}
    case = Case("number-format", version=version, rules={"numbers": NumberRules(NumberFormat.CALENDAR)})
    assert (severities(case.judged(), "number-format") == set()) is wanted


@pytest.mark.parametrize(("before", "gap"), [("1.2.2", False), ("1.1.9", True), ("0.9.9", True), ("1.3.0", False)])
def test_a_semantic_number_follows_the_one_before(before: str, *, gap: bool) -> None:
    case = Case("number-gap", facts={"siblings": (sibling(before),)}, rules={"numbers": NumberRules()})
    assert (severities(case.judged(), "number-gap") != set()) is gap


@pytest.mark.parametrize("value", ["images@example.com", "AAAAAAAA-0000-4000-8000-000000000001"])
def test_an_owner_is_an_address_or_an_entra_id(value: str) -> None:
    case = Case("owner-tag", version={"tags": {"OWNER": value}}, rules={"owner": OwnerRules()})
    assert case.judged().findings == ()


def test_a_copy_in_a_ring_is_no_duplicate() -> None:
    copy = replace(VERSION, id=TARGET.version(VERSION.id.number), source_id=str(VERSION.id).upper())
    case = Case("number-duplicate", facts={"twins": {TARGET: copy}}, rules={"numbers": NumberRules()})
    assert case.judged().findings == ()


@pytest.mark.parametrize(
    ("headroom", "found"), [(0, False), (9, False), (10, True)], ids=["none", "as much as is left", "more than is left"]
)
def test_headroom_is_a_share_of_the_limit(headroom: int, *, found: bool) -> None:
    case = Case("gallery-limit", facts={"galleries": 91})
    assert (severities(case.judged(headroom=headroom), "gallery-limit") != set()) is found
