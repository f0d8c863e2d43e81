"""Functions and their bindings, as the worker library reports them."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from local.host.app_settings import resolve
from local.host.host_errors import ConfigError

TRIGGERS = frozenset({"httpTrigger", "queueTrigger", "timerTrigger", "eventGridTrigger"})
OUTPUTS = frozenset({"http", "queue"})
# The fields of a binding that may contain %SETTING%: those that are marked AutoResolve in the host's extensions.
_RESOLVED = ("queueName", "schedule", "route")


@dataclass(frozen=True)
class Binding:
    """One binding. `raw` is its JSON; `fields` are the same with settings resolved."""

    name: str
    type: str
    direction: str
    fields: Mapping[str, Any]
    raw: Mapping[str, Any] = field(default_factory=dict)

    def text(self, field: str, default: str = "") -> str:
        value = self.fields.get(field)
        return default if value is None else str(value)


@dataclass(frozen=True)
class FunctionSpec:
    """One function of the app. `function_id` is the worker's id."""

    name: str
    function_id: str
    trigger: Binding
    outputs: tuple[Binding, ...]

    @property
    def bindings(self) -> tuple[Binding, ...]:
        return (self.trigger, *self.outputs)

    @property
    def route(self) -> str:
        """The template of an httpTrigger, without the app's prefix: the function's name where none is given."""
        return self.trigger.text("route").strip("/") or self.name


def parse_function(
    name: str,
    function_id: str,
    raw_bindings: Iterable[str],
    settings: Mapping[str, str],
) -> FunctionSpec:
    """Parse the worker's bindings. Raises ConfigError for unsupported bindings and unknown settings."""
    faults: list[str] = []
    bindings = [_binding(name, json.loads(raw), settings, faults) for raw in raw_bindings]
    triggers = [binding for binding in bindings if binding.type.endswith("Trigger")]
    others = [binding for binding in bindings if binding not in triggers]
    if len(triggers) != 1:
        faults.append(f"function {name}: exactly one trigger is required, found {len(triggers)}")
    faults += [
        f"function {name}: the local host does not support the trigger type {b.type}"
        for b in triggers
        if b.type not in TRIGGERS
    ]
    faults += [
        f"function {name}: the local host does not support the {b.direction} binding type {b.type}"
        for b in others
        if b.direction != "out" or b.type not in OUTPUTS
    ]
    if faults:
        raise ConfigError(faults)
    return FunctionSpec(name, function_id, triggers[0], tuple(others))


def _binding(function: str, raw: dict[str, Any], settings: Mapping[str, str], faults: list[str]) -> Binding:
    fields = dict(raw)
    for name in _RESOLVED:
        if isinstance(fields.get(name), str):
            try:
                fields[name] = resolve(
                    fields[name], settings, f"function {function}, binding {raw.get('name')}, {name}"
                )
            except ConfigError as fault:
                faults += fault.faults
    return Binding(str(raw.get("name")), str(raw.get("type")), str(raw.get("direction", "in")).lower(), fields, raw)


def is_disabled(name: str, settings: Mapping[str, str]) -> bool:
    """Whether a function is disabled by the app setting `AzureWebJobs.<name>.Disabled` (on Linux also with
    underscores).
    """
    for key in (f"AzureWebJobs.{name}.Disabled", f"AzureWebJobs_{name}_Disabled"):
        if settings.get(key, "").lower() in ("true", "1"):
            return True
    return False
