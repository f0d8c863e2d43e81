"""The part of the Kusto query language that the simulator's Resource Graph understands; it refuses the rest by name.

```
Resources
| where type =~ 'microsoft.compute/virtualmachines' and properties.storageProfile.imageReference.id has 'ubuntu'
| project id, name, image = tolower(properties.storageProfile.imageReference.id)
| order by name asc | take 10
```

Tables: `Resources`, `ResourceContainers`, `ComputeResources`. Operators: `where`, `project`, `project-away`, `extend`,
`distinct`, `summarize count() by`, `order by`/`sort by`, `take`/`limit`, `count`. Source: "Understanding the Azure
Resource Graph query language" on Microsoft Learn.
"""

from collections.abc import Callable, Iterable
from typing import Any

from local.arm.management.kql_expressions import Reader, Row, Value, expression

TABLES = ("resources", "resourcecontainers", "computeresources")


def run(query: str, tables: Callable[[str], Iterable[Row]]) -> list[Row]:
    """The rows that a query answers; `tables` gives those of a table by its lower-case name. Raises BadQuery."""
    reader = Reader(query)
    name = reader.next().lower() if reader.peek().lower() in TABLES else "resources"
    if reader.at == 0 and reader.peek().lower() not in ("where", "project", "summarize", "extend", "distinct", "count"):
        raise reader.bad("a table is expected: Resources, ResourceContainers or ComputeResources")
    rows = [dict(row) for row in tables(name)]
    first = reader.at == 0
    while reader.kind() != "end":
        if not first:
            reader.expect("|")
        first = False
        rows = _operator(reader)(rows)
    return rows


def _operator(reader: Reader) -> Callable[[list[Row]], list[Row]]:
    word = reader.next().lower()
    if word not in _OPERATORS:
        reader.at -= 1
        raise reader.bad(f"the operator '{word}' is not known here")
    return _OPERATORS[word](reader)


def _where(reader: Reader) -> Callable[[list[Row]], list[Row]]:
    wanted = expression(reader)
    return lambda rows: [row for row in rows if wanted(row) is True]


def _columns(reader: Reader) -> list[tuple[str, Value]]:
    """`name`, `path.to.value` (a column `path_to_value`), or `name = expression`, separated by commas."""
    found: list[tuple[str, Value]] = []
    while True:
        start = reader.at
        if reader.kind() == "word" and reader.at + 1 < len(reader.tokens) and reader.tokens[reader.at + 1][1] == "=":
            name = reader.next()
            reader.expect("=")
            found.append((name, expression(reader)))
        else:
            value = expression(reader)
            found.append((_column(reader.tokens[start : reader.at], len(found) + 1), value))
        if not reader.skip(","):
            return found


def _column(tokens: list[tuple[str, str, int]], number: int) -> str:
    """The name of a column that was given none: its path, or `Column1` for what is computed."""
    if any(text == "(" for _, text, _ in tokens):
        return f"Column{number}"
    return "_".join(text.strip("@'\"") for kind, text, _ in tokens if kind != "mark")


def _project(reader: Reader) -> Callable[[list[Row]], list[Row]]:
    columns = _columns(reader)
    return lambda rows: [{name: value(row) for name, value in columns} for row in rows]


def _extend(reader: Reader) -> Callable[[list[Row]], list[Row]]:
    columns = _columns(reader)
    return lambda rows: [row | {name: value(row) for name, value in columns} for row in rows]


def _project_away(reader: Reader) -> Callable[[list[Row]], list[Row]]:
    gone = {name.lower() for name, _ in _columns(reader)}
    return lambda rows: [{key: value for key, value in row.items() if key.lower() not in gone} for row in rows]


def _distinct(reader: Reader) -> Callable[[list[Row]], list[Row]]:
    columns = _columns(reader)

    def rows_of(rows: list[Row]) -> list[Row]:
        found: dict[str, Row] = {}
        for row in rows:
            made = {name: value(row) for name, value in columns}
            found.setdefault(repr(made), made)
        return list(found.values())

    return rows_of


def _summarize(reader: Reader) -> Callable[[list[Row]], list[Row]]:
    name = "count_"
    if reader.tokens[reader.at + 1 : reader.at + 2] and reader.tokens[reader.at + 1][1] == "=":
        name = reader.next()
        reader.expect("=")
    if not reader.skip("count", "(", ")"):
        raise reader.bad("of the aggregations, count() alone is known here")
    columns = _columns(reader) if reader.skip("by") else []

    def rows_of(rows: list[Row]) -> list[Row]:
        if not columns:
            return [{name: len(rows)}]
        found: dict[str, Row] = {}
        for row in rows:
            key = {column: value(row) for column, value in columns}
            counted = found.setdefault(repr(key), key | {name: 0})
            counted[name] += 1
        return list(found.values())

    return rows_of


def _order(reader: Reader) -> Callable[[list[Row]], list[Row]]:
    reader.expect("by")
    keys: list[tuple[Value, bool]] = []
    while True:
        value = expression(reader)
        falls = not reader.skip("asc")
        reader.skip("desc")
        keys.append((value, falls))
        if not reader.skip(","):
            break

    def rows_of(rows: list[Row]) -> list[Row]:
        for value, falls in reversed(keys):
            rows = sorted(rows, key=lambda row: _sortable(value(row)), reverse=falls)
        return rows

    return rows_of


def _sortable(value: Any) -> tuple[int, float, str]:
    if value is None:
        return 0, 0.0, ""
    if isinstance(value, int | float):
        return 1, float(value), ""
    return 2, 0.0, str(value).lower()


def _take(reader: Reader) -> Callable[[list[Row]], list[Row]]:
    if reader.kind() != "number":
        raise reader.bad("a number is expected")
    most = int(reader.next())
    return lambda rows: rows[:most]


_OPERATORS: dict[str, Callable[[Reader], Callable[[list[Row]], list[Row]]]] = {
    "where": _where,
    "project": _project,
    "project-away": _project_away,
    "extend": _extend,
    "distinct": _distinct,
    "summarize": _summarize,
    "order": _order,
    "sort": _order,
    "take": _take,
    "limit": _take,
    "count": lambda reader: lambda rows: [{"Count": len(rows)}],
}
