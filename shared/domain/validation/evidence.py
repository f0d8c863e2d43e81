"""What evidence says of a validation: the facts that were seen, and every rule that was applied."""

from __future__ import annotations

from typing import Any

from shared.domain.activity import Activity, ActivityRecord
from shared.domain.facts import VersionFacts
from shared.domain.policy import ValidationRules
from shared.domain.validation.facts import ValidationFacts
from shared.domain.validation.origin import source_ids
from shared.domain.validation.verdict import ValidationVerdict, applied_rules


def seen_facts(version: VersionFacts, facts: ValidationFacts, verdict: ValidationVerdict) -> dict[str, Any]:
    """The facts, and the findings on them."""
    return {
        "provisioningState": version.provisioning_state.value,
        "publishedDate": version.published_at.isoformat() if version.published_at else None,
        "location": version.location,
        "source": version.source_id or version.source_vm_id or list(version.disk_source_ids),
        "sources": list(source_ids(version)),
        "osDiskGb": version.os_disk_gb,
        "tags": dict(version.tags),
        "targets": {
            target.region: {"replicas": target.replicas, "excludeFromLatest": target.excluded}
            for target in version.targets
        },
        "excludeFromLatest": version.excluded,
        "builder": facts.builder,
        "activityLog": _activity(facts.activity),
        "findings": [
            {"rule": each.code, "severity": each.severity.value, "text": each.text} for each in verdict.findings
        ],
    }


def rules_in_evidence(rules: ValidationRules) -> dict[str, Any]:
    """Every rule with its severity, and the values of the policy that they compare with."""
    numbers, end_of_life, owner = rules.numbers, rules.end_of_life, rules.owner
    return {
        "severities": {rule: severity.value for rule, severity in sorted(applied_rules(rules).items())},
        "waivers": [
            {
                "rule": each.rule,
                "owner": each.owner,
                "reason": each.reason,
                "expires": each.expires.isoformat(),
                "versions": [str(number) for number in each.versions],
            }
            for each in rules.waivers
        ],
        "requiredTags": {name: each and each.pattern for name, each in rules.required_tags.items()},
        "minDiskGb": rules.min_disk_gb,
        "maxDiskGb": rules.max_disk_gb,
        "visibleBeforeProof": rules.visible_before_proof.value,
        "sources": list(rules.sources),
        "builders": sorted(rules.builders),
        "numbers": {"format": numbers.format.value, "order": numbers.order.value} if numbers else None,
        "endOfLife": {"required": end_of_life.required, "atLeastDays": end_of_life.at_least.days}
        if end_of_life
        else None,
        "owner": {"tag": owner.tag, "is": [kind.value for kind in owner.kinds]} if owner else None,
        "headroomPercent": rules.headroom,
    }


def _activity(activity: Activity) -> dict[str, Any]:
    return {
        "created": _record(activity.created),
        "lastWritten": _record(activity.last_written),
        "unread": activity.unread,
    }


def _record(record: ActivityRecord | None) -> dict[str, Any] | None:
    if record is None:
        return None
    return {
        "caller": record.caller,
        "application": record.application,
        "objectId": record.object_id,
        "operation": record.operation,
        "at": record.at.isoformat(),
        "correlation": record.correlation,
    }
