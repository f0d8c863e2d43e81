"""The checks of ``infra/`` find what they are there to find."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.infra.arm_types import TypeFiles
from tests.infra.bicep import read
from tests.infra.bicep_nodes import BicepError, File, For, If, Member, Operation, Text
from tests.infra.house import all_faults, resources, unknown_names, unused_names


def bicep(tmp_path: Path, text: str) -> File:
    path = tmp_path / "sample.bicep"
    path.write_text(text)
    return read(path)


@pytest.mark.parametrize(
    "text",
    [
        "var a = ",
        "var a = {\n  b: 1\n",
        "var a = 'open\n",
        "var a = 'bad \\q'\n",
        "var a = 1 var b = 2\n",
        "var a = { b: 1 b: 2 }\n",
        "var a = {\n  b: 1\n  b: 2\n}\n",
        "var a = 1\nparam a string\n",
        "resource r 'T@1' {\n}\n",
        "module m 'x.bicep' = [for a in b { }]\n",
        "var a = [1, 2\n",
        "var a = ? 1\n",
        "whatever a = 1\n",
        "var a = 1 ~ 2\n",
        "@description('x') 1\n",
    ],
)
def test_text_that_is_not_bicep_is_refused_with_its_place(tmp_path: Path, text: str):
    with pytest.raises(BicepError, match=r"sample\.bicep:\d+"):
        bicep(tmp_path, text)


def test_loops_conditions_nesting_and_interpolation_are_read(tmp_path: Path):
    file = bicep(
        tmp_path,
        """
        // a comment
        @description('it\\'s /* no comment */ here')
        param names string[] = ['a', 'b']
        param on bool = !false && (1 + 2 * 3 > 4 || true)
        resource r 'P/t@2024-01-01' = [
          for (name, i) in names: if (on) {
            name: 'x-${name}-${empty(name) ? 'none' : toLower('${name}')}'
            resource child 'kids' = {
              name: i == 0 ? 'first' : 'other'
            }
          }
        ]
        output ids array = [for (name, i) in names: r[i].id]
        """,
    )
    (outer, nested) = list(resources(file))
    assert isinstance(outer.resource.value, For)
    assert isinstance(outer.resource.value.body, If)
    assert outer.resource.value.variables == ("name", "i")
    assert nested.type == "P/t/kids@2024-01-01"
    assert isinstance(nested.resource.body.get("name"), Operation)
    name = outer.resource.body.get("name")
    assert isinstance(name, Text)
    assert name.literal is None
    assert isinstance(file.outputs["ids"], For)
    assert isinstance(file.outputs["ids"].body, Member)
    assert list(unknown_names(file)) == []


def test_names_that_nothing_declares_and_declarations_that_nothing_uses_are_found(tmp_path: Path):
    file = bicep(tmp_path, "param used string\nparam idle string\nvar a = '${used}${missing}'\noutput o string = a\n")
    assert list(unknown_names(file)) == ["missing"]
    assert unused_names(file) == {"idle"}


def test_a_loops_variable_is_known_only_inside_of_it(tmp_path: Path):
    file = bicep(tmp_path, "var a = [for each in ['x']: each]\noutput o string = each\noutput p array = a\n")
    assert list(unknown_names(file)) == ["each"]


TYPES: list[dict[str, Any]] = [
    {"$type": "StringType"},
    {"$type": "BooleanType"},
    {"$type": "StringLiteralType", "value": "Hot"},
    {"$type": "StringLiteralType", "value": "Cool"},
    {"$type": "UnionType", "elements": [{"$ref": "#/2"}, {"$ref": "#/3"}]},
    {
        "$type": "ObjectType",
        "properties": {
            "tier": {"type": {"$ref": "#/4"}, "flags": 1},
            "open": {"type": {"$ref": "#/1"}, "flags": 0},
            "made": {"type": {"$ref": "#/0"}, "flags": 2},
            "list": {"type": {"$ref": "#/8"}, "flags": 0},
            "how": {"type": {"$ref": "#/9"}, "flags": 0},
        },
    },
    {
        "$type": "ObjectType",
        "properties": {
            "name": {"type": {"$ref": "#/0"}, "flags": 9},
            "type": {"type": {"$ref": "#/0"}, "flags": 10},
            "properties": {"type": {"$ref": "#/5"}, "flags": 1},
        },
    },
    {"$type": "ResourceType", "name": "My.Provider/things@2024-01-01", "body": {"$ref": "#/6"}},
    {"$type": "ArrayType", "itemType": {"$ref": "#/5"}},
    {
        "$type": "DiscriminatedObjectType",
        "discriminator": "kind",
        "baseProperties": {},
        "elements": {"A": {"$ref": "#/10"}},
    },
    {"$type": "ObjectType", "properties": {"kind": {"type": {"$ref": "#/0"}, "flags": 1}}},
]


def faults(
    tmp_path: Path, properties: str, *, kind: str = "My.Provider/things@2024-01-01", more: str = ""
) -> list[str]:
    folder = tmp_path / "types" / "mine" / "my.provider" / "2024-01-01"
    folder.mkdir(parents=True)
    (folder / "types.json").write_text(json.dumps(TYPES))
    file = bicep(tmp_path, f"resource r '{kind}' = {{\n  name: 'x'\n  properties: {properties}\n}}\n{more}")
    return all_faults({"sample.bicep": file}, TypeFiles([tmp_path / "types"]))


@pytest.mark.parametrize(
    "properties",
    [
        "{ tier: 'Hot' }",
        "{ tier: 'Cool', open: true }",
        "{ tier: empty('') ? 'Hot' : 'Cool', list: [{ tier: 'Hot' }] }",
        "{ tier: 'Hot', how: { kind: 'A' } }",
    ],
)
def test_a_body_that_fits_its_type_has_no_fault(tmp_path: Path, properties: str):
    assert faults(tmp_path, properties) == []


@pytest.mark.parametrize(
    ("properties", "said"),
    [
        ("{ tier: 'Hot', opened: true }", "properties.opened: no such property"),
        ("{ tier: 'Warm' }", "'Warm', not one of Hot, Cool"),
        ("{ open: true }", "properties.tier: is required"),
        ("{ tier: 'Hot', made: 'today' }", "properties.made: is read-only"),
        ("{ tier: 'Hot', open: 'yes' }", "properties.open must be a BooleanType"),
        ("{ tier: 'Hot', list: { tier: 'Hot' } }", "properties.list must be an array"),
        ("{ tier: 'Hot', list: [{ tier: 'Warm' }] }", "'Warm'"),
        ("{ tier: 'Hot', list: [for t in ['a']: { tire: t }] }", "properties.list.tire: no such property"),
        ("empty('') ? { tier: 'Hot' } : { tyre: 'Hot' }", "properties.tyre: no such property"),
        ("{ tier: 'Hot', how: { kind: 'B' } }", "properties.how.kind: one of A is expected"),
    ],
)
def test_a_body_that_does_not_fit_its_type_is_told_where(tmp_path: Path, properties: str, said: str):
    assert any(said in fault for fault in faults(tmp_path, properties))


def test_a_type_that_does_not_exist_is_found(tmp_path: Path):
    found = faults(tmp_path, "{}", kind="My.Provider/thinks@2024-01-01")
    assert any("no such resource type" in fault for fault in found)


def test_a_property_that_is_read_and_does_not_exist_is_found(tmp_path: Path):
    found = faults(tmp_path, "{ tier: 'Hot' }", more="output o string = r.properties.maid\noutput p string = r.name\n")
    assert len(found) == 1
    assert "properties.maid is read" in found[0]
