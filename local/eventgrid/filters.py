"""Which events a subscription wants: types, subject prefix and suffix, and advanced filters.

The rules and limits are those of azure-docs event-grid/event-filtering.md: all filters must hold, one value of each is
enough, text is compared without regard to case, and a missing key never matches a positive filter.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_MAX_FILTERS = 25
_MAX_VALUES = 25
_MAX_VALUE_LENGTH = 512
_TEXT_OPERATORS = {
    "StringIn": lambda found, wanted: found == wanted,
    "StringBeginsWith": lambda found, wanted: found.startswith(wanted),
    "StringEndsWith": lambda found, wanted: found.endswith(wanted),
    "StringContains": lambda found, wanted: wanted in found,
}
_NEGATIONS = {operator.replace("String", "StringNot"): operator for operator in _TEXT_OPERATORS}
_NULL_OPERATORS = {"IsNullOrUndefined", "IsNotNull"}


class BadFilter(ValueError):
    """A filter that Event Grid would not take. The text names the field."""


@dataclass(frozen=True, slots=True)
class AdvancedFilter:
    """One comparison of the value at `key`, a dotted path into the event."""

    operator: str
    key: str
    values: tuple[str, ...]

    def matches(self, body: Mapping[str, Any]) -> bool:
        found = _at(body, self.key)
        if self.operator in _NULL_OPERATORS:
            return (found is None) == (self.operator == "IsNullOrUndefined")
        if self.operator in _NEGATIONS:
            return not (isinstance(found, str) and self._any(_NEGATIONS[self.operator], found))
        return isinstance(found, str) and self._any(self.operator, found)

    def _any(self, operator: str, found: str) -> bool:
        return any(_TEXT_OPERATORS[operator](found.lower(), value.lower()) for value in self.values)


@dataclass(frozen=True, slots=True)
class EventFilter:
    """What must hold for an event to be delivered. No types means all types."""

    types: frozenset[str] = frozenset()
    subject_begins: str = ""
    subject_ends: str = ""
    case_sensitive: bool = False
    advanced: tuple[AdvancedFilter, ...] = ()

    def matches(self, event_type: str, subject: str, body: Mapping[str, Any]) -> bool:
        """Whether an event of this type and subject, with this body as it would be delivered, is wanted."""
        if self.types and event_type.lower() not in self.types:
            return False
        fold = (lambda text: text) if self.case_sensitive else str.lower
        if not fold(subject).startswith(fold(self.subject_begins)):
            return False
        if not fold(subject).endswith(fold(self.subject_ends)):
            return False
        return all(one.matches(body) for one in self.advanced)


def read_filter(document: Mapping[str, Any]) -> EventFilter:
    """The `filter` of an event subscription as ARM writes it; raises BadFilter."""
    types = document.get("includedEventTypes") or []
    if not isinstance(types, list) or not all(isinstance(one, str) for one in types):
        raise BadFilter("filter.includedEventTypes must be a list of texts")
    advanced = tuple(_read_advanced(one) for one in document.get("advancedFilters") or [])
    if len(advanced) > _MAX_FILTERS or sum(len(one.values) for one in advanced) > _MAX_VALUES:
        raise BadFilter(f"filter.advancedFilters: at most {_MAX_FILTERS} filters and {_MAX_VALUES} values in all")
    return EventFilter(
        types=frozenset(one.lower() for one in types if one != "All"),
        subject_begins=document.get("subjectBeginsWith") or "",
        subject_ends=document.get("subjectEndsWith") or "",
        case_sensitive=bool(document.get("isSubjectCaseSensitive", False)),
        advanced=advanced,
    )


def _read_advanced(document: Mapping[str, Any]) -> AdvancedFilter:
    operator, key = document.get("operatorType"), document.get("key")
    if operator not in {*_TEXT_OPERATORS, *_NEGATIONS, *_NULL_OPERATORS}:
        known = ", ".join(sorted({*_TEXT_OPERATORS, *_NEGATIONS, *_NULL_OPERATORS}))
        raise BadFilter(f"filter.advancedFilters: operatorType {operator!r} is not known here; known are {known}")
    if not isinstance(key, str) or not key:
        raise BadFilter(f"filter.advancedFilters: {operator} needs a key")
    values = document.get("values") or []
    if operator not in _NULL_OPERATORS and not values:
        raise BadFilter(f"filter.advancedFilters: {operator} on {key} needs values")
    if not all(isinstance(value, str) and len(value) <= _MAX_VALUE_LENGTH for value in values):
        raise BadFilter(f"filter.advancedFilters: the values of {key} must be texts of {_MAX_VALUE_LENGTH} or less")
    return AdvancedFilter(operator, key, tuple(values))


def _at(body: Mapping[str, Any], key: str) -> Any:
    found: Any = body
    for part in key.split("."):
        if not isinstance(found, Mapping):
            return None
        found = {name.lower(): value for name, value in found.items()}.get(part.lower())
    return found
