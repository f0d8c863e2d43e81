"""The docstrings of a dataclass's fields, which Python itself does not keep."""

from __future__ import annotations

import ast
import functools
import inspect
import textwrap


@functools.cache
def field_docs(owner: type) -> dict[str, str]:
    """The docstring of each field by name, in the order of the fields, those of base classes first."""
    found: dict[str, str] = {}
    for each in reversed(owner.__mro__):
        if each is not object:
            found |= _own(each)
    return found


def _own(owner: type) -> dict[str, str]:
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(owner))).body
    assert isinstance(definition, ast.ClassDef)
    pairs = zip(definition.body, definition.body[1:], strict=False)
    return {
        field.target.id: " ".join(doc.value.value.split())
        for field, doc in pairs
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(doc, ast.Expr)
        and isinstance(doc.value, ast.Constant)
        and isinstance(doc.value.value, str)
    }
