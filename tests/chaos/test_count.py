"""The count notices what chaos may have broken: it is compared with galleries, images and the other versions."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from local.chaos.count import Count, Visible, count
from local.chaos.hosts import skewed_app
from local.chaos.plan import KINDS, OUTAGE, policy, scheme
from local.demo.scenario import RINGS, Story
from local.stack.options import PROJECT_ROOT
from shared.policy_file.load import load_policy

GOOD = Story("image-00", "1.1.0", "clean", "clean", "released")
BETTER = Story("image-00", "1.2.0", "clean", "clean", "released")
BAD = Story("image-00", "1.3.0", "critical-cve", "bad", "rejected", r"CVE-2021-44228")
EVERYWHERE: Visible = {
    "gal_build": frozenset({*RINGS["canary"], *RINGS["early"]}),
    "gal_prod": frozenset(RINGS["production"]),
}
NOWHERE: Visible = {"gal_build": frozenset(), "gal_prod": frozenset()}


def row(state: str, *, reasons: Sequence[str] = (), settled: bool = True, rings: Sequence[str] = ()) -> dict[str, Any]:
    return {
        "state": state,
        "settled": settled,
        "reasons": list(reasons),
        "published": {ring: list(RINGS[ring]) for ring in rings},
        "stalled": {},
        "waiting_for": [],
    }


RELEASED = row("released", rings=tuple(RINGS))
REJECTED = row("rejected", reasons=["1 critical: CVE-2021-44228"])


def counted(ends: Mapping[Story, tuple[dict[str, Any] | None, Visible]]) -> Count:
    releases = {story.id.lower(): release for story, (release, _) in ends.items() if release}
    return count(list(ends), releases, {story.id.lower(): seen for story, (_, seen) in ends.items()})


def test_what_ends_as_it_should_holds() -> None:
    result = counted({GOOD: (RELEASED, EVERYWHERE), BAD: (REJECTED, NOWHERE)})
    assert result.holds
    assert result.ended == {"released": 1, "rejected": 1}


@pytest.mark.parametrize(
    ("story", "release", "seen", "field"),
    [
        (GOOD, None, NOWHERE, "lost"),
        (GOOD, row("testing", settled=False), NOWHERE, "lost"),
        (GOOD, row("released", settled=False, rings=tuple(RINGS)), EVERYWHERE, "lost"),
        (GOOD, row("superseded"), NOWHERE, "lost"),
        (GOOD, row("rejected", reasons=["westeurope: agent not ready"]), NOWHERE, "wrongly_judged"),
        (GOOD, RELEASED, NOWHERE, "wrongly_promoted"),
        (GOOD, row("released", rings=("canary",)), EVERYWHERE, "wrongly_promoted"),
        (BAD, REJECTED, EVERYWHERE, "wrongly_promoted"),
        (BAD, None, EVERYWHERE, "wrongly_promoted"),
        (BAD, RELEASED, EVERYWHERE, "wrongly_promoted"),
        (BAD, row("rejected", reasons=["something else"]), NOWHERE, "wrongly_judged"),
    ],
)
def test_what_is_wrong_is_counted(story: Story, release: dict[str, Any] | None, seen: Visible, field: str) -> None:
    result = counted({story: (release, seen)})
    assert getattr(result, field)
    assert not result.holds


def test_a_version_overtaken_by_a_published_one_is_rightly_superseded() -> None:
    assert counted({GOOD: (row("superseded"), NOWHERE), BETTER: (RELEASED, EVERYWHERE)}).holds


def test_a_publication_of_an_overtaken_version_that_the_ledger_does_not_know_is_wrong() -> None:
    result = counted({GOOD: (row("superseded"), EVERYWHERE), BETTER: (RELEASED, EVERYWHERE)})
    assert len(result.wrongly_promoted) == 2


def test_what_is_left_behind_does_not_hold() -> None:
    result = counted({GOOD: (RELEASED, EVERYWHERE)})
    result.left_behind.append("/subscriptions/s/…/rm-0")
    assert not result.holds


def test_the_same_seed_draws_the_same_run_and_another_another() -> None:
    first = scheme(30, 5, 7, pause=(1, 2))
    assert scheme(30, 5, 7, pause=(1, 2)) == first
    assert scheme(30, 5, 8, pause=(1, 2)) != first


@pytest.mark.parametrize(("releases", "kills"), [(8, 3), (100, 20), (1, 0), (3, 9)])
def test_every_version_is_published_once_and_numbers_rise(releases: int, kills: int) -> None:
    drawn = scheme(releases, kills, 1, pause=(1, 2))
    published = [*(story for blow in drawn.blows for story in blow.publish), *drawn.last]
    assert published == list(drawn.stories)
    assert len({story.id for story in published}) == releases
    assert len(drawn.blows) == kills
    for name in drawn.definitions:
        numbers = [int(story.number.split(".")[1]) for story in published if story.definition == name]
        assert numbers == sorted(numbers)


def test_the_scheme_of_one_host_is_the_same_whether_or_not_there_could_be_two() -> None:
    drawn = scheme(30, 5, 7, pause=(1, 2))
    assert {blow.hosts for blow in drawn.blows} == {("host",)}
    assert scheme(30, 5, 7, pause=(1, 2), hosts=1, outages=0) == drawn


def test_of_two_hosts_either_or_both_are_struck() -> None:
    drawn = scheme(30, 40, 7, pause=(1, 2), hosts=2)
    assert {blow.hosts for blow in drawn.blows} == {("host",), ("second-host",), ("host", "second-host")}


@pytest.mark.parametrize(("kills", "outages"), [(3, 1), (0, 2), (5, 3)])
def test_storage_is_away_as_often_as_asked_and_hosts_live_meanwhile(kills: int, outages: int) -> None:
    drawn = scheme(8, kills, 1, pause=(1, 2), hosts=2, outages=outages)
    away = [blow for blow in drawn.blows if not blow.hosts]
    assert (len(away), len(drawn.blows)) == (outages, kills + outages)
    assert all(OUTAGE[0] <= blow.down <= OUTAGE[1] and not blow.azurite for blow in away)
    assert [*(story for blow in drawn.blows for story in blow.publish), *drawn.last] == list(drawn.stories)


@pytest.mark.parametrize("seconds", [90.0, -90.0])
def test_the_second_hosts_app_is_the_products_with_another_clock(tmp_path: Path, seconds: float) -> None:
    code = """
import function_app
from datetime import UTC, datetime
from shared.triggers import actions_api, event_grid, pages, scan_webhook, storage_queues, timer_triggers
clocks = {each.utc_now for each in (actions_api, event_grid, pages, scan_webhook, storage_queues, timer_triggers)}
(clock,) = clocks
print(round((clock() - datetime.now(UTC)).total_seconds()), len(function_app.app.get_functions()))
"""
    env = {"AzureWebJobsStorage": "UseDevelopmentStorage=true", "PATH": os.environ["PATH"]}
    told = [
        subprocess.run(
            [sys.executable, "-c", code], cwd=app, env=env, capture_output=True, text=True, check=True
        ).stdout
        for app in (PROJECT_ROOT, skewed_app(tmp_path, seconds))
    ]
    assert [text.split()[0] for text in told] == ["0", str(round(seconds))]
    assert told[0].split()[1] == told[1].split()[1]


def test_small_runs_have_good_and_bad_versions() -> None:
    assert {story.state for story in scheme(len(KINDS), 3, 1, pause=(1, 2)).stories} == {"released", "rejected"}


def test_the_policy_of_a_run_can_be_read() -> None:
    drawn = scheme(8, 3, 1, pause=(1, 2))
    assert len(load_policy(policy(drawn.definitions), name="policy.yaml").definitions) == len(drawn.definitions)
