"""Judgement of metadata: what rejects, what only warns, and what is waited for."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.domain.facts import (
    DefinitionFacts,
    ExecutedValidation,
    GalleryFacts,
    ProvisioningState,
    PurchasePlan,
    RegionTargetFacts,
    ResourceRange,
    SourceFacts,
    SourceKind,
    VersionFacts,
)
from shared.domain.image import DefinitionId, VersionNumber
from shared.domain.moment import CLOCK_SKEW
from shared.domain.policy import (
    DefinitionPolicy,
    RegionTarget,
    Ring,
    ScanRules,
    Severity,
    ValidationRules,
    VisibleBeforeProof,
)
from shared.domain.validation.facts import ValidationFacts
from shared.domain.validation.rule import RuleSeverity
from shared.domain.validation.verdict import ValidationOutcome, ValidationVerdict, validate

NOW = datetime(2026, 5, 10, 12, 0, tzinfo=UTC)
SOURCE = DefinitionId.parse(
    "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg/providers/Microsoft.Compute"
    "/galleries/build/images/ubuntu"
)
TARGET = replace(SOURCE, gallery=replace(SOURCE.gallery, name="prod"))
OK = ProvisioningState.SUCCEEDED

VERSION = VersionFacts(
    id=SOURCE.version(VersionNumber(1, 2, 3)),
    provisioning_state=OK,
    location="westeurope",
    published_at=NOW - timedelta(hours=1),
    targets=(RegionTargetFacts("westeurope"),),
    excluded=True,
    os_disk_gb=30,
)
DEFINITION = DefinitionFacts(SOURCE, OK, "westeurope", "Linux", "Generalized", "V2", "x64")
FACTS = ValidationFacts(
    version=VERSION,
    definition=DEFINITION,
    gallery=GalleryFacts(SOURCE.gallery, OK, "westeurope"),
    source=SourceFacts(
        SourceKind.VM,
        "/vm",
        "Linux",
        "Generalized",
        "V2",
        "x64",
        power="deallocated",
        created_at=NOW - timedelta(hours=3),
        used_at=NOW - timedelta(hours=2),
    ),
    ring_definitions={TARGET: replace(DEFINITION, id=TARGET)},
)
POLICY = DefinitionPolicy(
    name="ubuntu",
    source=SOURCE,
    rings=(
        Ring("canary", SOURCE, (RegionTarget("westeurope"),)),
        Ring("production", TARGET, (RegionTarget("eastus"),)),
    ),
    scan=ScanRules(limits={Severity.CRITICAL: 0}),
    digest="d",
)
AT_HOME = replace(POLICY, rings=POLICY.rings[:1])
"""With one ring, in the source gallery and in the version's region."""


def judged(
    facts: ValidationFacts = FACTS,
    rules: ValidationRules | None = None,
    waiting_since: datetime | None = None,
    **version: Any,
) -> ValidationVerdict:
    if version and facts.version is not None:
        facts = replace(facts, version=replace(facts.version, **version))
    policy = replace(POLICY, validation=rules or ValidationRules())
    return validate(facts, policy, now=NOW, waiting_since=waiting_since)


def codes(verdict: ValidationVerdict) -> list[str]:
    return [f"{finding.severity}:{finding.code}" for finding in verdict.findings]


def definition(**changes: Any) -> ValidationFacts:
    return replace(FACTS, definition=replace(DEFINITION, **changes))


def source(**changes: Any) -> ValidationFacts:
    assert FACTS.source is not None
    return replace(FACTS, source=replace(FACTS.source, **changes))


def target(**changes: Any) -> ValidationFacts:
    return replace(FACTS, ring_definitions={TARGET: replace(DEFINITION, id=TARGET, **changes)})


def test_a_version_in_order_passes_without_a_word() -> None:
    assert judged() == ValidationVerdict(ValidationOutcome.PASS)


class TestStates:
    @pytest.mark.parametrize("state", ["Creating", "Updating", "updating"])
    def test_a_version_that_is_still_being_made_is_waited_for(self, state: str) -> None:
        assert judged(provisioning_state=ProvisioningState.read(state)).outcome is ValidationOutcome.WAIT

    def test_the_wait_has_an_end(self) -> None:
        rules = ValidationRules(ready_within=timedelta(hours=8))
        begun = NOW - timedelta(hours=8)
        state = ProvisioningState.CREATING
        assert judged(rules=rules, waiting_since=begun, provisioning_state=state).outcome is ValidationOutcome.WAIT
        late = judged(rules=rules, waiting_since=begun - CLOCK_SKEW - timedelta(seconds=1), provisioning_state=state)
        assert (late.outcome, codes(late)) == (ValidationOutcome.REJECT, ["error:not-ready-in-time"])

    @pytest.mark.parametrize("state", ["Failed", "Deleting", "Canceled", "Sleeping", "", None])
    def test_no_other_state_is_waited_for_or_passes(self, state: str | None) -> None:
        verdict = judged(provisioning_state=ProvisioningState.read(state))
        assert (verdict.outcome, codes(verdict)) == (ValidationOutcome.REJECT, ["error:version-state"])

    def test_a_version_that_is_gone_is_rejected(self) -> None:
        assert codes(judged(replace(FACTS, version=None))) == ["error:version-gone"]

    def test_a_definition_or_gallery_that_is_gone_is_an_error(self) -> None:
        verdict = judged(replace(FACTS, definition=None, gallery=None))
        assert codes(verdict) == ["error:definition-gone", "error:gallery-gone"]

    def test_a_failed_definition_is_an_error_and_one_that_is_updating_is_not(self) -> None:
        assert codes(judged(definition(provisioning_state=ProvisioningState.FAILED))) == ["error:definition-state"]
        assert judged(definition(provisioning_state=ProvisioningState.UPDATING)).outcome is ValidationOutcome.PASS


class TestGeneralization:
    def test_a_specialized_source_under_a_generalized_definition_is_an_error(self) -> None:
        verdict = judged(source(os_state="Specialized"))
        assert codes(verdict) == ["error:os-state"]
        assert "declared Generalized, but the version was made from a Specialized virtual machine" in verdict.texts[0]

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"os_type": "Windows"}, "os-type"),
            ({"hyper_v_generation": "V1"}, "generation"),
            ({"architecture": "Arm64"}, "architecture"),
        ],
    )
    def test_a_source_of_another_kind_is_an_error(self, changes: dict[str, str], code: str) -> None:
        assert codes(judged(source(**changes))) == [f"error:{code}"]

    def test_casing_is_no_difference(self) -> None:
        assert judged(source(os_type="linux", os_state="generalized", architecture="X64")).findings == ()

    def test_a_source_that_is_gone_is_only_a_warning(self) -> None:
        verdict = judged(replace(FACTS, source=SourceFacts(SourceKind.GONE, "/images/gone")))
        assert (verdict.outcome, codes(verdict)) == (ValidationOutcome.PASS, ["warning:source-gone"])

    def test_what_the_source_does_not_say_is_not_compared(self) -> None:
        before = NOW - timedelta(hours=2)
        disk = SourceFacts(SourceKind.DISK, "/disk", created_at=before, used_at=before)
        assert judged(replace(FACTS, source=disk)).findings == ()


class TestFeatures:
    @pytest.mark.parametrize("value", ["TrustedLaunch", "TrustedLaunchSupported", "ConfidentialVM"])
    def test_security_types_need_generation_2(self, value: str) -> None:
        facts = replace(definition(features={"SecurityType": value}, hyper_v_generation="V1"), source=None)
        assert codes(validate(facts, AT_HOME, now=NOW)) == ["error:security-type"]
        assert validate(definition(features={"SecurityType": value}), AT_HOME, now=NOW).findings == ()

    def test_standard_security_fits_generation_1(self) -> None:
        facts = replace(definition(features={"SecurityType": "Standard"}, hyper_v_generation="V1"), source=None)
        facts = replace(facts, ring_definitions={TARGET: replace(DEFINITION, hyper_v_generation="V1")})
        assert judged(facts).findings == ()

    def test_a_confidential_version_stays_where_it_was_built(self) -> None:
        features = {"SecurityType": "ConfidentialVM"}
        facts = replace(definition(features=features), ring_definitions=target(features=features).ring_definitions)
        assert codes(judged(facts)) == ["error:confidential-elsewhere"]
        for region, subscription in (("eastus", SOURCE.gallery.subscription), ("westeurope", "other")):
            moved = replace(TARGET, gallery=replace(TARGET.gallery, subscription=subscription))
            policy = replace(POLICY, rings=(Ring("production", moved, (RegionTarget(region),)),))
            found = replace(facts, ring_definitions={moved: facts.ring_definitions[TARGET]})
            assert codes(validate(found, policy, now=NOW)) == ["error:confidential-elsewhere"]


class TestRingsInOtherGalleries:
    def test_the_definition_copied_to_must_exist(self) -> None:
        for ring_definitions in ({}, {TARGET: None}):
            verdict = judged(replace(FACTS, ring_definitions=ring_definitions))
            assert codes(verdict) == ["error:ring-definition-gone"]
            assert "the ring 'production' copies to" in verdict.texts[0]

    @pytest.mark.parametrize(
        "changes",
        [
            {"os_type": "Windows"},
            {"os_state": "Specialized"},
            {"hyper_v_generation": "V1"},
            {"architecture": "Arm64"},
            {"plan": PurchasePlan("canonical", "ubuntu", "pro")},
        ],
        ids=str,
    )
    def test_the_definition_copied_to_must_be_of_the_same_kind(self, changes: dict[str, Any]) -> None:
        assert codes(judged(target(**changes))) == ["error:ring-definition-differs"]

    @pytest.mark.parametrize(
        "name", ["SecurityType", "DiskControllerTypes", "IsHibernateSupported", "IsAcceleratedNetworkSupported"]
    )
    def test_the_definition_copied_to_must_have_the_same_features(self, name: str) -> None:
        facts = replace(target(features={name: "Standard"}), definition=replace(DEFINITION, features={name: "Other"}))
        assert "error:ring-definition-differs" in codes(judged(facts))

    def test_a_plan_that_the_definition_copied_to_lacks_is_told(self) -> None:
        facts = replace(target(), definition=replace(DEFINITION, plan=PurchasePlan("canonical", "ubuntu", "pro")))
        assert "error:ring-definition-differs" in codes(judged(facts))

    @pytest.mark.parametrize(("here", "there"), [("", "V1"), ("V1", "")])
    def test_a_generation_left_out_is_the_first(self, here: str, there: str) -> None:
        facts = replace(
            target(hyper_v_generation=there), definition=replace(DEFINITION, hyper_v_generation=here), source=None
        )
        assert "error:ring-definition-differs" not in codes(judged(facts))

    @pytest.mark.parametrize(
        ("here", "there"), [({}, "TrustedLaunchSupported"), ({"SecurityType": "TrustedLaunchSupported"}, None)]
    )
    def test_a_security_type_left_out_is_standard(self, here: dict[str, str], there: str | None) -> None:
        facts = replace(target(features={"securitytype": there} if there else {}), definition=DEFINITION)
        facts = replace(facts, definition=replace(DEFINITION, features=here))
        verdict = judged(facts)
        assert codes(verdict) == ["error:ring-definition-differs"]
        assert "Standard" in verdict.texts[0]
        assert "create another definition" in verdict.texts[0]
        assert judged(target(features={"SecurityType": "Standard"})).findings == ()

    @pytest.mark.parametrize(
        ("changes", "word"),
        [
            ({"features": {"DiskControllerTypes": "SCSI, NVMe"}}, "DiskControllerTypes is not set (SCSI)"),
            ({"features": {"IsHibernateSupported": "True"}}, "IsHibernateSupported"),
            ({"features": {"IsAcceleratedNetworkSupported": "True"}}, "IsAcceleratedNetworkSupported"),
            ({"recommended": {"vCPUs": ResourceRange(2, 8)}}, "recommended vCPUs is any, but 2 to 8"),
            ({"recommended": {"memory": ResourceRange(4)}}, "recommended memory is any, but 4 to any"),
            ({"disallowed_disk_types": ("Standard_LRS",)}, "disallowed disk types is none, but Standard_LRS"),
        ],
        ids=str,
    )
    def test_what_only_consumers_notice_is_a_warning(self, changes: dict[str, Any], word: str) -> None:
        verdict = judged(target(**changes))
        assert codes(verdict) == ["warning:ring-definition-for-consumers"]
        assert word in verdict.texts[0]

    def test_a_feature_with_its_default_is_as_one_left_out(self) -> None:
        features = {"DiskControllerTypes": "SCSI", "IsHibernateSupported": "false"}
        assert judged(target(features=features)).findings == ()

    def test_the_order_of_a_list_is_no_difference(self) -> None:
        facts = replace(FACTS, definition=replace(DEFINITION, features={"DiskControllerTypes": "SCSI, NVMe"}))
        facts = replace(facts, ring_definitions=target(features={"DiskControllerTypes": "NVMe,SCSI"}).ring_definitions)
        assert judged(facts).findings == ()

    def test_an_architecture_left_out_is_x64(self) -> None:
        assert judged(target(architecture=None)).findings == ()

    def test_a_definition_being_deleted_is_an_error(self) -> None:
        assert codes(judged(target(provisioning_state=ProvisioningState.DELETING))) == ["error:ring-definition-state"]


class TestMetadata:
    TAGS = ValidationRules(required_tags={"commit": re.compile("[0-9a-f]{4}"), "owner": None})

    def test_required_tags_are_found_in_any_casing(self) -> None:
        assert judged(rules=self.TAGS, tags={"Commit": "00ff", "OWNER": ""}).findings == ()

    def test_a_missing_tag_and_a_wrong_value_are_errors(self) -> None:
        verdict = judged(rules=self.TAGS, tags={"commit": "00fff"})
        assert codes(verdict) == ["error:tag-value", "error:tag-missing"]

    @pytest.mark.parametrize(("size", "expected"), [(7, False), (8, True), (64, True), (65, False)])
    def test_the_os_disk_is_within_both_bounds(self, size: int, *, expected: bool) -> None:
        verdict = judged(rules=ValidationRules(min_disk_gb=8, max_disk_gb=64), os_disk_gb=size)
        assert (verdict.outcome is ValidationOutcome.PASS) is expected

    def test_a_data_disk_has_only_the_upper_bound(self) -> None:
        rules = ValidationRules(min_disk_gb=8, max_disk_gb=64)
        assert judged(rules=rules, data_disks_gb=(1, None)).findings == ()
        assert codes(judged(rules=rules, data_disks_gb=(1, 65))) == ["error:disk-size"]

    def test_a_size_that_is_not_told_is_a_warning(self) -> None:
        assert codes(judged(os_disk_gb=None)) == ["warning:disk-size-unknown"]

    def test_an_end_of_life_that_has_come_is_an_error(self) -> None:
        assert codes(judged(end_of_life=NOW)) == ["error:end-of-life"]
        assert judged(end_of_life=NOW + timedelta(seconds=1)).findings == ()
        assert codes(judged(definition(end_of_life=NOW - timedelta(days=1)))) == ["error:end-of-life"]

    def test_a_reported_policy_violation_is_an_error_with_its_details(self) -> None:
        verdict = judged(reported_for_policy_violation=True, policy_violations=("CopyrightValidation",))
        assert codes(verdict) == ["error:policy-violation"]
        assert "CopyrightValidation" in verdict.texts[0]

    @pytest.mark.parametrize("status", ["Failed", "failed"])
    def test_a_failed_validation_of_the_platform_is_an_error(self, status: str) -> None:
        assert codes(judged(validations=(ExecutedValidation("TrustedLaunch", status),))) == [
            "error:platform-validation"
        ]

    def test_one_that_says_neither_is_a_warning(self) -> None:
        verdict = judged(
            validations=(ExecutedValidation("TrustedLaunch", "Unknown"), ExecutedValidation("x", "success"))
        )
        assert codes(verdict) == ["warning:platform-validation"]

    def test_a_shallow_replica_is_a_warning_where_no_ring_needs_it_elsewhere(self) -> None:
        policy = replace(POLICY, rings=(Ring("canary", SOURCE, (RegionTarget("westeurope"),)),))
        assert FACTS.version is not None
        shallow = replace(FACTS.version, replication_mode="Shallow", targets=(RegionTargetFacts("westeurope"),))
        verdict = validate(replace(FACTS, version=shallow), policy, now=NOW)
        assert codes(verdict) == ["warning:shallow"]

    def test_a_shallow_replica_reaches_no_other_region_and_no_other_gallery(self) -> None:
        assert "error:shallow-elsewhere" in codes(judged(replication_mode="Shallow"))

    def test_a_version_with_a_key_of_its_own_is_not_copied(self) -> None:
        own_key = RegionTargetFacts("westeurope", kept={"encryption": {"osDiskImage": {"diskEncryptionSetId": "/s"}}})
        assert codes(judged(targets=(own_key,))) == ["error:encrypted-copy"]

    def test_a_version_with_a_key_of_its_own_needs_a_key_in_each_region(self) -> None:
        own_key = RegionTargetFacts("westeurope", kept={"encryption": {"osDiskImage": {"diskEncryptionSetId": "/s"}}})
        rings = (Ring("canary", SOURCE, (RegionTarget("westeurope"), RegionTarget("eastus"))),)
        assert FACTS.version is not None
        facts = replace(FACTS, version=replace(FACTS.version, targets=(own_key,)))
        verdict = validate(facts, replace(POLICY, rings=rings), now=NOW)
        assert codes(verdict) == ["error:encryption-set-missing"]


class TestVisibility:
    REJECT = ValidationRules(visible_before_proof=VisibleBeforeProof.REJECT)

    def test_a_version_visible_before_proof_is_told_of_or_rejected(self) -> None:
        assert codes(judged(excluded=False)) == ["warning:visible-before-proof"]
        assert codes(judged(rules=self.REJECT, excluded=False)) == ["error:visible-before-proof"]

    def test_where_ringmaster_published_it_before_it_is_proven(self) -> None:
        published = replace(FACTS, published=frozenset({"westeurope"}))
        assert codes(judged(published, rules=self.REJECT, excluded=False)) == []

    def test_the_flag_of_a_region_overrides_the_flag_of_the_version(self) -> None:
        hidden = (RegionTargetFacts("westeurope", excluded=True),)
        shown = (RegionTargetFacts("westeurope", excluded=False), RegionTargetFacts("eastus"))
        assert judged(excluded=False, targets=hidden).findings == ()
        off = ValidationRules(severities={"target-region-extra": RuleSeverity.OFF})
        verdict = judged(rules=off, excluded=True, targets=shown)
        assert codes(verdict) == ["warning:visible-before-proof"]
        assert "in westeurope." in verdict.texts[0]


class TestNumbers:
    def test_a_number_below_the_newest_published_is_a_warning(self) -> None:
        assert codes(judged(replace(FACTS, newest_published=VersionNumber(1, 10, 0)))) == ["warning:number-order"]
        assert judged(replace(FACTS, newest_published=VersionNumber(1, 2, 2))).findings == ()


def test_everything_that_is_wrong_is_told_at_once_errors_first() -> None:
    verdict = judged(
        source(os_state="Specialized"), excluded=False, os_disk_gb=9999, reported_for_policy_violation=True
    )
    assert codes(verdict) == [
        "error:policy-violation",
        "error:os-state",
        "error:disk-size",
        "warning:visible-before-proof",
    ]
