"""The states of ``shared.domain.hop_states`` on the wire: one flat JSON object each, with camel-case names.

If a kind of command has several steps, ``step`` names the type. The hints of the scan gate differ by their fields.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec

from shared.codec import plain
from shared.codec.derive import WithDefault, from_wire, values, wire_struct
from shared.codec.errors import Unencodable
from shared.domain.hop_states import (
    Announce,
    AwaitApproval,
    AwaitDeletion,
    AwaitProbe,
    AwaitProvisioning,
    AwaitReboot,
    AwaitScan,
    AwaitVersion,
    Bake,
    BeginRevocation,
    ConfirmExcluded,
    CreateMachine,
    DeleteMachine,
    Exclude,
    FetchOrder,
    HopState,
    LatestChange,
    ListUsers,
    NoState,
    Publish,
    ReadBack,
    ReadConsole,
    RecordUsers,
    Replicate,
    ReportArrived,
    ReportRefused,
    RevokeDescendants,
    UndoPublication,
    UnreadableState,
    Watch,
)
from shared.domain.identifiers import SHA256
from shared.domain.messages import Kind
from shared.domain.scan_formats import FORMAT_NAME

_BOOT_TEST: Final = (
    CreateMachine,
    AwaitProvisioning,
    AwaitProbe,
    AwaitReboot,
    ReadConsole,
    DeleteMachine,
    AwaitDeletion,
)
STATES: Final[Mapping[Kind, tuple[type[HopState], ...]]] = {
    Kind.VALIDATE: (AwaitVersion,),
    Kind.SCAN: (AwaitScan, ReportArrived, ReportRefused),
    Kind.FETCH_REPORT: (FetchOrder,),
    Kind.BOOT_TEST: _BOOT_TEST,
    Kind.CLEAN_UP: (DeleteMachine, AwaitDeletion),
    Kind.REPLICATE: (Replicate,),
    Kind.PROMOTE: (Bake, AwaitApproval, Publish, ReadBack, UndoPublication),
    Kind.REVOKE: (BeginRevocation, Exclude, ConfirmExcluded),
    Kind.HIDE: (Exclude, ConfirmExcluded),
    Kind.HEALTH: (Watch,),
    Kind.IN_USE: (ListUsers, RevokeDescendants, RecordUsers),
    Kind.ANNOUNCE: (Announce,),
}
"""The states that a command of each kind can have."""
_BEGINS_EMPTY: Final = frozenset({Kind.VALIDATE, Kind.SCAN, Kind.REPLICATE})
"""Kinds whose first command, or hint, has no state."""
_HINTS: Final[Mapping[str, type[HopState]]] = {"refused": ReportRefused, "report": ReportArrived}
_NO_STATE: Final = NoState()
_PATTERNS: Final[Mapping[type[HopState], Mapping[str, Any]]] = {
    FetchOrder: {
        "format": Annotated[str, msgspec.Meta(pattern=f"^{FORMAT_NAME}$")],
        "sha256": Annotated[str, msgspec.Meta(pattern=f"^{SHA256}$")],
    }
}


_ALWAYS_WRITTEN: Final[Mapping[str, WithDefault]] = {
    "polls": WithDefault(int, msgspec.field(default_factory=lambda: 0)),
    "looks": WithDefault(int, msgspec.field(default_factory=lambda: 0)),
    "reads": WithDefault(int, msgspec.field(default_factory=lambda: 0)),
    "reasons": WithDefault(tuple[str, ...], msgspec.field(default_factory=lambda: ())),
    "done": WithDefault(Mapping[str, LatestChange], msgspec.field(default_factory=dict[str, LatestChange])),
}
"""Fields that are always written: Ringmaster 0.1.0 cannot read a state without them, and a rollback must not lose
releases. msgspec omits values that equal a plain default, but not values of a default factory."""


def _wire(state: type[HopState]) -> type[Any]:
    tag = {} if state.STEP is None else {"tag_field": "step", "tag": state.STEP}
    names = {field.name for field in dataclasses.fields(state)}
    always = {name: hint for name, hint in _ALWAYS_WRITTEN.items() if name in names}
    return wire_struct(state.__name__, state, {**always, **_PATTERNS.get(state, {})}, rename="camel", **tag)


_WIRE: Final[Mapping[type[HopState], type[Any]]] = {
    state: _wire(state) for states in STATES.values() for state in states
}
_STEPS: Final[Mapping[Kind, Mapping[str | None, type[HopState]]]] = {
    kind: {state.STEP: state for state in states} for kind, states in STATES.items()
}


def state_on_wire(state: HopState) -> Any:
    """What msgspec writes for a state."""
    if isinstance(state, UnreadableState):
        return dict(state.raw)
    return {} if isinstance(state, NoState) else _WIRE[type(state)](**values(state))


def read_state(kind: Kind, raw: Mapping[str, Any]) -> HopState:
    """The state of a command of this kind; an UnreadableState where it fits none."""
    if not raw and kind in _BEGINS_EMPTY:
        return _NO_STATE
    state = _state_type(kind, raw)
    if state is None:
        steps = ", ".join(str(step) for step in _STEPS[kind])
        return UnreadableState(raw, f"a {kind} command has one of the steps {steps} - at `$.step`")
    try:
        return from_wire(state, msgspec.convert(raw, _WIRE[state]))
    except (msgspec.ValidationError, RecursionError) as error:
        return UnreadableState(raw, plain.error_text(error))


def _state_type(kind: Kind, raw: Mapping[str, Any]) -> type[HopState] | None:
    if kind is Kind.SCAN:
        return next((state for name, state in _HINTS.items() if name in raw), AwaitScan)
    step = raw.get("step")
    return _STEPS[kind].get(step) if step is None or isinstance(step, str) else None


def check_state(kind: Kind, state: HopState, where: object) -> None:
    """Raise Unencodable for a state that could not be read back."""
    if isinstance(state, UnreadableState):
        plain.check_plain(state.raw, where)
    elif isinstance(state, NoState):
        return
    elif type(state) not in STATES[kind]:
        raise Unencodable(f"{where} is {type(state).__name__}, which is not a state of a {kind} command")
    else:
        plain.check_times(state, where)
        if isinstance(state, Announce):
            plain.check_plain(state.details, where)
