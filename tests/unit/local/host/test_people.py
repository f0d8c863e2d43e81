"""Who can sign in to a local host: a file without fault, and what the app is told of them."""

import json
from pathlib import Path
from typing import Any

import pytest

from local.host import ConfigError
from local.host.people import Person, load_people
from shared.codec.principals import HEADER, decode_principal

ID, OTHER, TENANT, GROUP = (f"0a0b0c0d-0000-4000-8000-00000000000{digit}" for digit in "abcd")
GIVEN: dict[str, Any] = {
    "id": ID,
    "tenant": TENANT,
    "account": "on-call@x.example",
    "name": "On call",
    "groups": [GROUP],
}


def written(tmp_path: Path, *people: Any) -> Path:
    path = tmp_path / "people.json"
    path.write_text(json.dumps(people))
    return path


def test_people_are_read_as_they_stand_in_the_file(tmp_path: Path) -> None:
    found = load_people(written(tmp_path, GIVEN, {**GIVEN, "id": OTHER, "groups": []}))
    assert [(each.id, each.groups) for each in found] == [(ID, (GROUP,)), (OTHER, ())]


def test_the_app_reads_the_principal_as_one_of_entra() -> None:
    headers = Person(ID, TENANT, "on-call@x.example", "On call", (GROUP, OTHER)).headers()
    principal = decode_principal(headers[HEADER.upper()])
    assert (principal.ids, principal.tenant, principal.groups) == ((ID,), TENANT, {GROUP, OTHER})
    assert {name: headers[f"X-MS-CLIENT-PRINCIPAL-{name}"] for name in ("ID", "NAME", "IDP")} == {
        "ID": ID,
        "NAME": "on-call@x.example",
        "IDP": "aad",
    }


def test_a_workload_is_told_with_the_application_its_token_was_issued_to() -> None:
    headers = Person(ID, TENANT, "pipeline@x.example", "Pipeline", application=OTHER).headers()
    assert decode_principal(headers[HEADER.upper()]).ids == (ID, OTHER)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"id": "on-call"}, "id is not an id"),
        ({"tenant": None}, "tenant is not an id"),
        ({"account": "a\r\nb"}, "account is not a user principal name"),
        ({"account": ""}, "account is not a user principal name"),
        ({"name": " "}, "name must be a non-empty string"),
        ({"groups": GROUP}, "groups must be a list of ids"),
        ({"groups": ["x"]}, "groups must be a list of ids"),
        ({"application": "pipeline"}, "application is not an id"),
        ({"role": "admin"}, "unknown field 'role'"),
    ],
)
def test_a_fault_in_a_person_is_told_with_its_place(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=rf"people\.json, user 2: {says}"):
        load_people(written(tmp_path, GIVEN, {**GIVEN, "id": OTHER, **change}))


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as told:
        load_people(written(tmp_path, "nobody", {**GIVEN, "id": 1, "name": 2}))
    assert len(told.value.faults) == 3


@pytest.mark.parametrize(
    ("text", "says"), [("{", "not valid JSON"), ("{}", "a list"), ("[]", "a list"), ("null", "a list")]
)
def test_what_is_no_list_of_people_is_refused(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "people.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=says):
        load_people(path)


def test_a_missing_file_and_a_person_who_is_there_twice_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        load_people(tmp_path / "none.json")
    with pytest.raises(ConfigError, match="same id"):
        load_people(written(tmp_path, GIVEN, GIVEN))
