"""Route templates of HTTP triggers, as in ASP.NET Core routing: literals, `{x}`, `{x?}`, `{x=1}`, `{*rest}`,
`{x:int:min(1)}`.

Literals are case-insensitive. If several templates match, the most specific one is used, compared segment by segment:
literal, parameter with a constraint or next to literal text, plain parameter, catch-all.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote
from uuid import UUID

# A brace within a constraint is written twice, as in ASP.NET.
_PARAMETER = re.compile(r"\{(?P<star>\*{0,2})(?P<name>[A-Za-z_][\w-]*)(?P<rest>(?:\{\{|\}\}|[^{}])*)\}")
_CONSTRAINT = re.compile(r":([A-Za-z]+)(?:\(((?:[^()]|\([^()]*\))*)\))?")

Check = Callable[[str], bool]


class RouteError(ValueError):
    """An invalid route template."""


@dataclass(frozen=True)
class _Segment:
    pattern: re.Pattern[str]
    rank: int
    names: tuple[str, ...]
    checks: tuple[tuple[str, Check], ...]
    optional: bool = False
    catch_all: bool = False
    default: str | None = None


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
    literal = re.sub(r"\(\.\*\)|\(\[\^/\]\+\?\)", "", pattern) != ""
    catch_all = any(parameter.catch_all for parameter in parameters)
    return _Segment(
        re.compile(pattern, re.IGNORECASE | re.DOTALL),
        _rank(bool(parameters), bool(checks) or literal or len(parameters) > 1, catch_all),
        tuple(parameter.name for parameter in parameters),
        checks,
        any(parameter.optional for parameter in parameters),
        catch_all,
        next((parameter.default for parameter in parameters if parameter.default is not None), None),
    )


def _rank(parameter: bool, narrowed: bool, catch_all: bool) -> int:
    if not parameter:
        return 1
    if catch_all:
        return 4 if narrowed else 5
    return 2 if narrowed else 3


class Route:
    """A compiled template. Raises RouteError for an invalid one."""

    def __init__(self, template: str) -> None:
        self.template = template.strip("/")
        self._segments = [_segment(part) for part in _split(self.template)]
        if any(segment.catch_all for segment in self._segments[:-1]):
            raise RouteError(f"route {template!r}: a catch-all parameter must be the last segment")
        names = [name.lower() for segment in self._segments for name in segment.names]
        if len(names) != len(set(names)):
            raise RouteError(f"route {template!r} has a duplicate parameter")
        self.precedence = tuple(segment.rank for segment in self._segments)

    def match(self, path: str) -> dict[str, str] | None:
        """The route parameters if the raw `path` (still percent-encoded) matches, otherwise None."""
        parts = [unquote(part) for part in path.strip("/").split("/")] if path.strip("/") else []
        found: dict[str, str] = {}
        for index, segment in enumerate(self._segments):
            if segment.catch_all:
                return self._take(segment, "/".join(parts[index:]), found)
            if index >= len(parts):
                if segment.default is not None:
                    found[segment.names[0]] = segment.default
                elif not segment.optional:
                    return None
            elif self._take(segment, parts[index], found) is None:
                return None
        return found if len(parts) <= len(self._segments) else None

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
    """Routes with methods. The first match in order of precedence is used."""

    def __init__(self) -> None:
        self._entries: list[tuple[Route, frozenset[str] | None, T]] = []

    def add(self, route: Route, methods: frozenset[str] | None, target: T) -> None:
        """Add a route. `methods` None means all methods."""
        self._entries.append((route, methods, target))
        self._entries.sort(key=lambda entry: entry[0].precedence)

    def find(self, method: str, path: str) -> tuple[T, dict[str, str]] | None:
        """The target and its route parameters.

        With a wrong method there is no match: the Functions host returns 404, not 405.
        """
        for route, methods, target in self._entries:
            if methods is not None and method.upper() not in methods:
                continue
            parameters = route.match(path)
            if parameters is not None:
                return target, parameters
        return None
