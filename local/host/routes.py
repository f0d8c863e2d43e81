"""Route templates of HTTP triggers, as in ASP.NET Core routing: literals, `{x}`, `{x?}`, `{x=1}`, `{*rest}`,
`{x:int:min(1)}`.

Literals are case-insensitive. If several templates match, the function whose name comes first is used, even if another
template is more specific: the host orders functions by name (FunctionMetadataManager.cs), and ASP.NET Core's classic
router takes the first route that matches.
"""

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

# A brace within a constraint is written twice, as in ASP.NET.
_PARAMETER = re.compile(r"\{(?P<star>\*{0,2})(?P<name>[A-Za-z_][\w-]*)(?P<rest>(?:\{\{|\}\}|[^{}])*)\}")
_CONSTRAINT = re.compile(r":([A-Za-z]+)(?:\(((?:[^()]|\([^()]*\))*)\))?")

Check = Callable[[str], bool]


class RouteError(ValueError):
    """An invalid route template."""


@dataclass(frozen=True)
class _Segment:
    text: str
    pattern: re.Pattern[str]
    names: tuple[str, ...]
    checks: tuple[tuple[str, Check], ...]
    optional: bool = False
    catch_all: bool = False
    default: str | None = None

    @property
    def may_be_absent(self) -> bool:
        return self.optional or self.catch_all or self.default is not None

    def overlaps(self, other: "_Segment") -> bool:
        """False only where one is literal and the other cannot be that; constraints are not looked at."""
        return (bool(self.names) or other.pattern.fullmatch(self.text) is not None) and (
            bool(other.names) or self.pattern.fullmatch(other.text) is not None
        )


def _parses(convert: Callable[[str], object]) -> Check:
    def check(text: str) -> bool:
        try:
            convert(text)
        except ValueError:
            return False
        return True

    return check


def _integer(text: str, bits: int) -> bool:
    return re.fullmatch(r"[+-]?\d+", text) is not None and -(2 ** (bits - 1)) <= int(text) < 2 ** (bits - 1)


def _compare(text: str, accept: Callable[[int], bool]) -> bool:
    return _integer(text, 64) and accept(int(text))


_PLAIN: dict[str, Check] = {
    "int": lambda text: _integer(text, 32),
    "long": lambda text: _integer(text, 64),
    "bool": lambda text: text.lower() in ("true", "false"),
    "guid": _parses(UUID),
    "decimal": _parses(float),
    "double": _parses(float),
    "float": _parses(float),
    "alpha": lambda text: re.fullmatch(r"[A-Za-z]*", text) is not None,
    "required": bool,
}


def _constraint(name: str, argument: str | None) -> Check:
    if argument is None:
        if name not in _PLAIN:
            raise RouteError(f"unknown route constraint {name!r}")
        return _PLAIN[name]
    if name == "regex":
        expression = re.compile(argument.replace("\\\\", "\\").replace("{{", "{").replace("}}", "}"), re.IGNORECASE)
        return lambda text: expression.search(text) is not None
    try:
        numbers = [int(part) for part in argument.split(",")]
    except ValueError as fault:
        raise RouteError(f"route constraint {name}({argument}) requires whole numbers") from fault
    low, high = numbers[0], numbers[-1]
    bounded: dict[str, Check] = {
        "length": lambda text: low <= len(text) <= high,
        "minlength": lambda text: len(text) >= low,
        "maxlength": lambda text: len(text) <= low,
        "min": lambda text: _compare(text, lambda n: n >= low),
        "max": lambda text: _compare(text, lambda n: n <= low),
        "range": lambda text: _compare(text, lambda n: low <= n <= high),
    }
    if name not in bounded:
        raise RouteError(f"unknown route constraint {name!r}")
    return bounded[name]


@dataclass(frozen=True)
class _Parameter:
    name: str
    checks: tuple[Check, ...]
    optional: bool
    catch_all: bool
    default: str | None


def _parameter(match: re.Match[str]) -> _Parameter:
    rest, default = match["rest"], None
    optional = rest.endswith("?")
    rest = rest.removesuffix("?")
    if "=" in rest and not rest.startswith(":regex"):
        rest, default = rest.split("=", 1)
    constraints = list(_CONSTRAINT.finditer(rest))
    if "".join(found[0] for found in constraints) != rest:
        raise RouteError(f"parameter {match[0]} is invalid")
    checks = tuple(_constraint(found[1].lower(), found[2]) for found in constraints)
    return _Parameter(match["name"], checks, optional, bool(match["star"]), default)


def _segment(text: str) -> _Segment:
    pattern, parameters, position = "", [], 0
    for match in _PARAMETER.finditer(text):
        parameters.append(_parameter(match))
        pattern += re.escape(text[position : match.start()])
        pattern += "(.*)" if match["star"] else "([^/]+?)"
        position = match.end()
    tail = text[position:]
    if "{" in tail or "}" in tail:
        raise RouteError(f"segment {text!r} has an unbalanced brace")
    pattern += re.escape(tail)
    checks = tuple((parameter.name, check) for parameter in parameters for check in parameter.checks)
    return _Segment(
        text,
        re.compile(pattern, re.IGNORECASE | re.DOTALL),
        tuple(parameter.name for parameter in parameters),
        checks,
        any(parameter.optional for parameter in parameters),
        any(parameter.catch_all for parameter in parameters),
        next((parameter.default for parameter in parameters if parameter.default is not None), None),
    )


class Route:
    """A compiled template with its methods; None means all methods. Raises RouteError for an invalid template."""

    def __init__(self, template: str, methods: frozenset[str] | None = None) -> None:
        self.template = template.strip("/")
        self.methods = methods
        self.segments = [_segment(part) for part in _split(self.template)]
        if any(segment.catch_all for segment in self.segments[:-1]):
            raise RouteError(f"route {template!r}: a catch-all parameter must be the last segment")
        names = [name.lower() for segment in self.segments for name in segment.names]
        if len(names) != len(set(names)):
            raise RouteError(f"route {template!r} has a duplicate parameter")

    def takes(self, method: str) -> bool:
        """Whether the route has this method."""
        return self.methods is None or method.upper() in self.methods

    def equals(self, other: "Route") -> bool:
        """Whether the host refuses to load one of two functions with these routes: the same template, and a method in
        common (ScriptHost.HttpRoutesConflict).
        """
        return self.template.lower() == other.template.lower() and self._shares_a_method_with(other)

    def overlaps(self, other: "Route") -> bool:
        """Whether some request matches both but for constraints of parameters: then the functions' names decide."""
        if not self._shares_a_method_with(other):
            return False
        both = min(len(self.segments), len(other.segments))
        for one, two in zip(self.segments[:both], other.segments[:both], strict=True):
            if one.catch_all or two.catch_all:
                return True
            if not one.overlaps(two):
                return False
        return all(segment.may_be_absent for segment in (*self.segments[both:], *other.segments[both:]))

    def _shares_a_method_with(self, other: "Route") -> bool:
        return self.methods is None or other.methods is None or not self.methods.isdisjoint(other.methods)

    def match(self, path: str) -> dict[str, str] | None:
        """The route parameters if `path`, as `request_path` returns it, matches, otherwise None."""
        inner = path.removeprefix("/").removesuffix("/")
        parts = inner.split("/") if inner else []
        found: dict[str, str] = {}
        for index, segment in enumerate(self.segments):
            if segment.catch_all:
                return self._take(segment, "/".join(parts[index:]), found)
            if index >= len(parts):
                if segment.default is not None:
                    found[segment.names[0]] = segment.default
                elif not segment.optional:
                    return None
            elif self._take(segment, parts[index], found) is None:
                return None
        return found if len(parts) <= len(self.segments) else None

    def _take(self, segment: _Segment, text: str, found: dict[str, str]) -> dict[str, str] | None:
        match = segment.pattern.fullmatch(text)
        if match is None:
            return None
        values = dict(zip(segment.names, match.groups(), strict=True))
        if not all(check(values[name]) for name, check in segment.checks):
            return None
        found.update({name: value for name, value in values.items() if value or not segment.catch_all})
        return found


def _split(template: str) -> list[str]:
    """The segments of a template. A slash inside braces (in a regex constraint) is not a separator."""
    parts, depth, current = [], 0, ""
    for char in template:
        depth += {"{": 1, "}": -1}.get(char, 0)
        if char == "/" and depth == 0:
            parts.append(current)
            current = ""
        else:
            current += char
    if current or parts:
        parts.append(current)
    return parts


class RouteTable[T]:
    """Routes of functions. The first match in order of the functions' names is used."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, Route, T]] = []

    def add(self, name: str, route: Route, target: T) -> None:
        """Add the route of the function with this name."""
        self.entries.append((name, route, target))
        self.entries.sort(key=lambda entry: entry[0].upper())  # StringComparer.OrdinalIgnoreCase

    def overlapping(self) -> list[tuple[str, str]]:
        """The pairs of functions whose routes overlap, so that only the order of names decides; the winner first."""
        return [
            (name, other)
            for (name, route, _), (other, another, _) in itertools.combinations(self.entries, 2)
            if route.overlaps(another)
        ]

    def find(self, method: str, path: str) -> tuple[T, dict[str, str]] | None:
        """The target and its route parameters.

        With a wrong method there is no match: the Functions host returns 404, not 405.
        """
        for _, route, target in self.entries:
            parameters = route.match(path) if route.takes(method) else None
            if parameters is not None:
                return target, parameters
        return None
