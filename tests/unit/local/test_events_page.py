"""``docs/events.md`` and its schema describe what is published, and every outcome has its event."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from local.docs import events_reference
from shared.codec import Unencodable
from shared.codec.release_events import check_event
from shared.domain.actions import Action
from shared.domain.events import EVENTS, TYPES
from shared.domain.lifecycle import TABLE, Outcome, Send, announced
from shared.domain.messages import Announcement
from tests.flow.misfortunes import Misfortune
from tests.flow.rehearsal import SMALL, Rehearsal

SILENT = {Outcome.GATE_PASSED, Outcome.AHEAD_PASSED, Outcome.HEALTH_WANTED}
"""A gate that passed while others are open, or before its ring's turn: the join is told. A watch that begins: its
verdict is told."""


@cache
def validator() -> Any:
    schema = json.loads(events_reference.schema())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def event(name: str, data: Any) -> dict[str, Any]:
    head = {"specversion": "1.0", "id": "1", "source": "d", "subject": "v", "time": "2026-03-02T08:00:00Z"}
    return {**head, "type": name, "data": data}


def published(told: Announcement) -> dict[str, Any]:
    return {**event(told.type, told.data), "id": told.id, "time": told.at.isoformat()}


@pytest.mark.parametrize("name", TYPES)
def test_the_example_of_a_type_fits_its_schema(name: str) -> None:
    validator().validate(event(name, events_reference.example(TYPES[name])))


def test_the_schema_refuses_an_event_without_its_version() -> None:
    data = events_reference.example(TYPES["Ringmaster.Release.Published"])
    del data["version"]
    assert not validator().is_valid(event("Ringmaster.Release.Published", data))


def test_the_schema_allows_fields_of_a_later_version() -> None:
    data = events_reference.example(TYPES["Ringmaster.Release.Published"])
    validator().validate(event("Ringmaster.Release.Published", {**data, "later": 1}))


def test_what_a_run_with_stalls_and_people_publishes_fits_its_schema() -> None:
    fails = Misfortune("machines.create", lambda: ZeroDivisionError("unforeseen"), times=5)
    play = Rehearsal(replace(SMALL), misfortunes=[fails])
    version = play.publish()
    play.wait(2)
    play.take(Action.HOLD, version)
    play.take(Action.RESEND, version)
    play.take(Action.RESUME, version)
    play.run()
    play.take(Action.REVOKE, version, allow_empty=True)
    play.run()
    told = play.cloud.publisher.published()
    assert len(told) > 10
    for each in told:
        validator().validate(published(each))


def test_every_outcome_of_the_table_is_told_but_those_that_change_nothing() -> None:
    outcomes = {outcome for _, outcome in TABLE}
    assert {outcome for outcome in outcomes if not announced(outcome)} == SILENT


def test_every_milestone_of_the_table_has_an_event() -> None:
    assert all(announced(outcome) for (_, outcome), after in TABLE.items() if Send.ANNOUNCE in after.sends)


def test_every_name_is_an_outcome_or_one_that_the_page_of_types_names() -> None:
    others = {"started", "held", "resumed", "stalled", "unstalled", "emergency", "drift_found", "drift_repaired"}
    assert set(EVENTS) == {name.lower() for name in Outcome.__members__ if name.lower() in EVENTS} | others


def test_what_no_type_describes_is_refused() -> None:
    with pytest.raises(Unencodable, match="no type of event"):
        check_event("Ringmaster.Release.Unheard", {})


def test_the_page_is_kept_in_the_repository() -> None:
    assert (Path(__file__).parents[3] / "docs" / "events.md").read_text() == events_reference.page()
