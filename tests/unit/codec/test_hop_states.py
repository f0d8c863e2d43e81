"""What a command carries, on the wire: states of Ringmaster 0.1.0 are read, and what no state is, is told."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shared.codec.hop_states import STATES, read_state, state_on_wire
from shared.domain.boot_test.failures import FailureCause
from shared.domain.hop_states import (
    AwaitDeletion,
    AwaitProvisioning,
    ConfirmExcluded,
    HopState,
    ListUsers,
    NoState,
    ReadConsole,
    RecordUsers,
    RevokeDescendants,
    UnreadableState,
    Watch,
    deadline_of,
    machine_of,
    step_of,
)
from shared.domain.messages import Kind

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SAMPLES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "states_0_1_0.json").read_text(encoding="utf-8"))
"""States that Ringmaster 0.1.0 wrote: for each step those with the fewest and the most fields, and what is rare."""


def written(state: HopState) -> dict[str, Any]:
    return json.loads(msgspec.json.encode(state_on_wire(state)))


def sample_id(sample: dict[str, Any]) -> str:
    return f"{sample['kind']}-{sample['state'].get('step')}-{len(sample['state'])}"


@pytest.mark.parametrize("sample", SAMPLES, ids=sample_id)
def test_a_state_of_0_1_0_is_read_and_written_as_it_was(sample: dict[str, Any]) -> None:
    state = read_state(Kind(sample["kind"]), sample["state"])
    assert not isinstance(state, UnreadableState), state
    again = written(state)
    for name in {"step", "vm", "left", "predicted", "done", "reads", "nonce", "report"} & sample["state"].keys():
        assert again[name] == sample["state"][name]
    assert read_state(Kind(sample["kind"]), again) == state


def test_the_samples_have_every_kind_and_nearly_every_step() -> None:
    rare = {"ReportRefused", "UndoPublication"}
    # Steps that 0.1.0 did not have.
    later = {
        "AwaitApproval",
        "AwaitReboot",
        "BeginRevocation",
        "Watch",
        *(state.__name__ for state in STATES[Kind.IN_USE]),
    }
    read = {type(read_state(Kind(each["kind"]), each["state"])).__name__ for each in SAMPLES}
    assert {state.__name__ for states in STATES.values() for state in states} - read == rare | later


def test_what_0_1_0_needs_is_written_also_where_it_is_nothing() -> None:
    assert written(AwaitProvisioning(vm="rm-1", deadline=NOW))["polls"] == 0
    assert written(ReadConsole(vm="rm-1"))["looks"] == 0
    assert written(AwaitDeletion(vm="rm-1", deleted_at=NOW))["reasons"] == []


def test_what_is_not_known_is_not_written() -> None:
    assert "readyAt" not in written(ReadConsole(vm="rm-1"))


def test_names_on_the_wire_are_those_of_0_1_0() -> None:
    state = AwaitDeletion(vm="rm-1", region="westeurope", ready_at=NOW, deleted_at=NOW, blame=FailureCause.IMAGE)
    expected = {"step": "gone", "vm": "rm-1", "region": "westeurope", "blame": "image", "reasons": []}
    assert written(state) == {**expected, "readyAt": "2026-03-01T12:00:00Z", "deletedAt": "2026-03-01T12:00:00Z"}


@pytest.mark.parametrize(
    ("kind", "raw", "path"),
    [
        (Kind.BOOT_TEST, {"step": "provision", "vm": "rm-1", "deadline": 5}, "`$.deadline`"),
        (Kind.BOOT_TEST, {"step": "provision", "vm": "rm-1", "deadline": "2026-03-01T12:00:00"}, "`$.deadline`"),
        (Kind.BOOT_TEST, {"step": "gone", "vm": ["rm-1"]}, "`$.vm`"),
        (Kind.BOOT_TEST, {"step": "gone", "vm": "rm-1"}, "`deletedAt`"),
        (
            Kind.BOOT_TEST,
            {"step": "console", "vm": "rm-1", "failure": {"blame": "me", "text": ""}},
            "`$.failure.blame`",
        ),
        (Kind.BOOT_TEST, {}, "create, provision, probe, reboot, console, delete, gone"),
        (Kind.PROMOTE, {"step": ["publish"]}, "bake, await approval, publish, read back, take back"),
        (Kind.REPLICATE, {"since": "2026-03-01T12:00:00Z", "removed": [{"region": 1}]}, "`$.removed[0].region`"),
        (Kind.SCAN, {"deadline": "soon"}, "`$.deadline`"),
        (Kind.FETCH_REPORT, {"format": "a/b", "url": "u", "sha256": "0" * 64, "sender": "s"}, "`$.format`"),
    ],
)
def test_what_is_no_state_is_kept_with_the_path_of_what_is_wrong(kind: Kind, raw: dict[str, Any], path: str) -> None:
    state = read_state(kind, raw)
    assert isinstance(state, UnreadableState)
    assert path in state.reason
    assert written(state) == raw


@pytest.mark.parametrize("kind", [Kind.VALIDATE, Kind.SCAN, Kind.REPLICATE])
def test_a_first_command_and_a_hint_carry_nothing(kind: Kind) -> None:
    assert read_state(kind, {}) == NoState()


def test_an_unreadable_state_still_names_its_machine_and_its_step() -> None:
    state = UnreadableState({"step": "gone", "vm": "rm-1", "deletedAt": 5})
    assert (machine_of(state), step_of(state), deadline_of(state)) == ("rm-1", "gone", None)


@pytest.mark.parametrize("raw", [{"vm": 5}, {"vm": None}, {}])
def test_what_names_no_machine_has_none(raw: dict[str, Any]) -> None:
    assert machine_of(UnreadableState(raw)) is None


@pytest.mark.parametrize(
    ("state", "raw"),
    [
        (ListUsers(), {"step": "list"}),
        (ListUsers("a/users-1.json", 40, 2), {"step": "list", "last": "a/users-1.json", "pages": 40, "faults": 2}),
        (
            RevokeDescendants(last="a/users-1.json", since=NOW, left=("v",)),
            {"step": "revoke descendants", "last": "a/users-1.json", "since": "2026-03-01T12:00:00Z", "left": ["v"]},
        ),
        (RecordUsers(last="a/users-1.json"), {"step": "record", "last": "a/users-1.json"}),
    ],
)
def test_a_look_for_users_is_on_the_wire_as_ever(state: HopState, raw: dict[str, Any]) -> None:
    assert written(state) == raw
    assert read_state(Kind.IN_USE, raw) == state


def test_a_revocation_at_its_start_is_written_as_0_1_0_needs_it() -> None:
    assert written(ConfirmExcluded(left=("d",))) == {"step": "read back", "left": ["d"], "done": {}, "reads": 0}


def test_a_watch_is_written_with_its_end_and_what_it_has_seen() -> None:
    watch = Watch(until=NOW, failures=1)
    assert written(watch) == {"until": "2026-03-01T12:00:00Z", "failures": 1}
    assert read_state(Kind.HEALTH, written(watch)) == watch
    assert deadline_of(watch) == NOW
