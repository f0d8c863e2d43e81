"""Health, bake hours, rings a day and succession in the policy file."""

from __future__ import annotations

from datetime import time, timedelta
from typing import Any

import pytest
import yaml

from shared.domain.health_rules import (
    HealthRules,
    HttpRules,
    OnBreach,
    OnUnknown,
    ProvisioningRules,
    QueryRules,
    ScaleSetRules,
    ShareLimit,
)
from shared.domain.policy import DayLimit, DefinitionPolicy, Supersede
from shared.domain.publish_window import Window
from shared.policy_file import PolicyFaults, load_policy
from tests.unit.policy_texts import MINIMAL, only

GUID = "00000000-0000-4000-8000-0000000000AA"
SCALE_SET = f"/subscriptions/{GUID}/resourceGroups/apps/providers/Microsoft.Compute/virtualMachineScaleSets/Web"
WHOLE: dict[str, Any] = {
    "for": "1h",
    "every": "5m",
    "minimum": 3,
    "failureThreshold": 1,
    "onBreach": "hide",
    "unknown": "wait",
    "scaleSets": {
        "ids": [SCALE_SET],
        "maxUnhealthy": "12.5%",
        "worseThanBefore": "1.5x",
        "failedUpgrades": "ignore",
    },
    "provisioning": {"subscriptions": [GUID], "maxFailed": "0%"},
    "query": {
        "workspace": GUID,
        "kql": "x | where v == '{version}'",
        "column": "n",
        "max": 2,
        "worseThanBefore": "2x",
        "samples": "m",
        "period": "30m",
    },
    "http": {"url": "https://example.com/health", "contains": "ok"},
}
HTTP = {"http": WHOLE["http"]}


def with_ring(**keys: Any) -> str:
    document = yaml.safe_load(MINIMAL)
    document["definitions"][0]["rings"][0].update(keys)
    return yaml.safe_dump(document, sort_keys=False)


def with_definition(**keys: Any) -> DefinitionPolicy:
    document = yaml.safe_load(MINIMAL)
    document["definitions"][0].update(keys)
    return only(load_policy(yaml.safe_dump(document), name="p"))


def loaded(**keys: Any) -> DefinitionPolicy:
    return only(load_policy(with_ring(**keys), name="p"))


def fault(**keys: Any) -> str:
    with pytest.raises(PolicyFaults) as caught:
        load_policy(with_ring(**keys), name="p")
    return caught.value.faults[0].message


def test_every_key_has_its_value() -> None:
    assert loaded(health=WHOLE).rings[0].health == HealthRules(
        watch_for=timedelta(hours=1),
        every=timedelta(minutes=5),
        minimum=3,
        failure_threshold=1,
        on_breach=OnBreach.HIDE,
        on_unknown=OnUnknown.WAIT,
        scale_sets=ScaleSetRules((SCALE_SET.lower(),), (), ShareLimit(0.125, 1.5), failed_upgrades=False),
        provisioning=ProvisioningRules((GUID.lower(),), ShareLimit(0.0)),
        query=QueryRules(GUID.lower(), "x | where v == '{version}'", "n", 2, 2, "m", timedelta(minutes=30)),
        http=HttpRules("https://example.com/health", "ok"),
    )


def test_the_defaults_are_those_of_the_domain() -> None:
    assert loaded(health=HTTP).rings[0].health == HealthRules(http=HttpRules("https://example.com/health", "ok"))


@pytest.mark.parametrize(
    ("health", "words"),
    [
        ({}, "name at least one of"),
        ({"scaleSets": {}}, "by ids or by subscriptions"),
        ({"scaleSets": {"ids": ["/subscriptions/x"]}}, "is not a scale set id"),
        ({"scaleSets": {"ids": [SCALE_SET], "maxUnhealthy": "0.1"}}, "is no share"),
        ({"scaleSets": {"ids": [SCALE_SET], "maxUnhealthy": "101%"}}, "is no share"),
        ({"scaleSets": {"ids": [SCALE_SET], "worseThanBefore": "0.5x"}}, "is no factor"),
        ({"http": {"url": "http://example.com"}}, "is not an address to ask"),
        ({"http": {"url": "https://user:secret@example.com/"}}, "is not an address to ask"),
        ({"query": {**WHOLE["query"], "kql": "errors"}}, "{version}"),
        ({**HTTP, "every": "1m"}, "out of range"),
    ],
)
def test_a_fault_says_what_is_wrong(health: dict[str, Any], words: str) -> None:
    assert words in fault(health=health)


def test_a_ring_that_is_not_watched_keeps_its_digest_and_one_that_is_gets_another() -> None:
    plain = only(load_policy(MINIMAL, name="p"))
    assert (loaded(bake="0").digest == plain.digest, loaded(health=HTTP).digest == plain.digest) == (True, False)


def test_a_bake_can_count_in_office_hours() -> None:
    hours = {"opens": "09:00", "closes": "17:00", "timeZone": "Europe/Berlin"}
    ring = loaded(bake="8h", bakeIn=hours).rings[0]
    assert ring.bake_in == Window(frozenset(range(5)), time(9), time(17), "Europe/Berlin")


def test_hours_without_a_bake_time_are_a_fault() -> None:
    assert "set bake" in fault(bakeIn={"opens": "09:00", "closes": "17:00", "timeZone": "UTC"})


def test_a_bake_that_takes_years_is_a_fault() -> None:
    hours = {"days": ["mon"], "opens": "09:00", "closes": "09:30", "timeZone": "UTC"}
    assert "more than 400 days" in fault(bake="90d", bakeIn=hours)


def test_rings_a_day_are_a_number_or_a_number_with_a_time_zone() -> None:
    whole = with_definition(maxRingsPerDay={"rings": 2, "timeZone": "Asia/Tokyo"})
    assert (with_definition(maxRingsPerDay=1).max_rings_per_day, whole.max_rings_per_day) == (
        DayLimit(1),
        DayLimit(2, "Asia/Tokyo"),
    )


def test_when_and_in_which_order_rings_are_published_decides_nothing_about_an_image() -> None:
    plain, other = with_definition(), with_definition(maxRingsPerDay=1, supersede="queue")
    assert (other.supersede, other.digest) == (Supersede.QUEUE, plain.digest)
