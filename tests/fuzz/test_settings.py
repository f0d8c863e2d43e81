"""Settings: the environment of the app is read, or every fault of it is told; and never a secret."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.settings import SETTINGS, Settings, SettingsFaults, read_settings
from tests.fuzz.budget import bounded, entrance
from tests.fuzz.mutation import JUNK, VALUES, as_bytes

SECRET = "c2VjcmV0LWtleQ-that-nobody-may-see"
CONNECTION = f"DefaultEndpointsProtocol=https;AccountName=acct;AccountKey={SECRET};EndpointSuffix=core.windows.net"
ID = "0a0b0c0d-0000-4000-8000-00000000000a"
TEXT = st.text(max_size=30)  # an environment holds no lone surrogates: the host hands it over as UTF-8
NUMBERS = st.integers().map(str) | st.floats().map(str) | st.sampled_from(["1", "9" * 5000, "1_0", "٣", "0x10", "1e3"])
junk = st.sampled_from([each for each in JUNK if isinstance(each, str) and each.isprintable()])
keys = st.lists(st.just(SECRET) | VALUES, max_size=6) | VALUES | st.just([SECRET, SECRET])
permits: dict[str, st.SearchStrategy[Any]] = {
    "formats": st.lists(st.sampled_from(["trivy", "auto", "x", "TRIVY"]) | VALUES, max_size=4) | VALUES,
    "definitions": st.lists(st.sampled_from(["g/*", "*/*", "/subscriptions/s", "g"]) | VALUES, max_size=4) | VALUES,
}
scanners = st.dictionaries(
    st.sampled_from(["trivy", "ci-grype", "Trivy", "", "-"]) | TEXT,
    keys | st.fixed_dictionaries({}, optional={"keys": keys, **permits, "key": VALUES}),
    max_size=4,
)
principals = st.dictionaries(
    st.sampled_from([ID, ID.upper(), "x"]) | TEXT,
    VALUES | st.fixed_dictionaries({}, optional={"name": VALUES, **permits, "keys": VALUES}),
    max_size=4,
)


def written(documents: st.SearchStrategy[Any]) -> st.SearchStrategy[str]:
    """As JSON mostly; cut, nested or not JSON at all sometimes."""
    whole = documents.map(lambda each: as_bytes(each).decode())
    return st.one_of(
        whole, whole, whole, whole.map(lambda text: text[:-3]), st.just("[" * 5000), st.just("9" * 5000), junk
    )


addresses = st.sampled_from(
    [
        "https://x",
        "http://127.0.0.1:1/a",
        "https://[::1",
        "https://u:p@x",
        "https://x:99999",
        "https://x?y",
        "//",
        "https:",
    ]
)
SPECIAL: dict[str, st.SearchStrategy[str]] = {
    "AzureWebJobsStorage": st.sampled_from([CONNECTION, "UseDevelopmentStorage=true", SECRET, f";;={SECRET};"]),
    "RINGMASTER_STORAGE": st.sampled_from([CONNECTION, f"AccountKey={SECRET}"]),
    "RINGMASTER_WEBHOOK_KEYS": written(scanners),
    "RINGMASTER_WEBHOOK_PRINCIPALS": written(principals),
    "RINGMASTER_REPORT_HOSTS": st.lists(
        st.sampled_from(["a.example", "a.example:8443", "*.x", "10.0.0.1", "0x7f.1", "a:99999", "[::1]", "a."]) | TEXT
    ).map(",".join),
    "RINGMASTER_OWN_WRITERS": st.lists(st.just(ID) | TEXT).map(",".join),
    "RINGMASTER_TRUST_EASYAUTH": st.sampled_from(["true", "TRUE", "false", "1", "yes"]),
    "WEBSITE_AUTH_ENABLED": st.sampled_from(["True", "False", "1", ""]),
    "RINGMASTER_RECONCILE_SCHEDULE": st.sampled_from(["0 */5 * * * *", "* * *", "0 0 0 0 0 0 0", "@daily"]),
}
names = st.sampled_from([*(each.name for each in SETTINGS), "WEBSITE_AUTH_ENABLED"])
services = st.sampled_from(
    [f"{prefix}__{name}" for prefix in ("AzureWebJobsStorage", "RINGMASTER_STORAGE")
     for name in ("accountName", "blobServiceUri", "queueServiceUri", "tableServiceUri", "clientId", "x")]
)  # fmt: skip


@st.composite
def environments(draw: st.DrawFn) -> dict[str, str]:
    chosen = draw(st.lists(names | services, max_size=8, unique=True))
    plain = TEXT | NUMBERS | addresses | junk | st.sampled_from(["image-scan", "a--b", "x-poison", "acct"])
    found = {name: draw(SPECIAL[name] | plain if name in SPECIAL else plain) for name in chosen}
    return found if draw(st.booleans()) else {"AzureWebJobsStorage": CONNECTION} | found


def held(environment: dict[str, str]) -> int:
    return sum(len(name) + len(value) for name, value in environment.items())


@entrance
@given(environments())
def test_an_environment_is_settings_or_every_fault_is_told(environment: dict[str, str]) -> None:
    settings, faults = None, ()
    with bounded(held(environment)):
        try:
            settings = read_settings(environment)
        except SettingsFaults as found:
            faults = (*found.faults, str(found))
    assert (settings is None) == bool(faults)
    for told in (*faults, repr(settings)):
        assert SECRET not in told
        told.encode()
    assert all(len(fault) < 2000 for fault in faults[:-1])


@entrance
@given(environments())
def test_settings_that_are_read_hold_to_their_bounds(environment: dict[str, str]) -> None:
    with bounded(held(environment)), suppress(SettingsFaults):
        settings = read_settings(environment)
        assert isinstance(settings, Settings)
        assert settings.pace >= 1
        assert all(sender.keys and all(len(key) >= 16 for key in sender.keys) for sender in settings.scanners.values())
        assert len(set(settings.queues.values())) == 6
        assert settings.arm_endpoint.startswith(("https://", "http://"))
        assert not (settings.principals and environment.get("RINGMASTER_TRUST_EASYAUTH", "").strip().lower() != "true")


def test_sound_settings_are_read() -> None:
    given_keys = json.dumps({"trivy": [SECRET], "ci": {"keys": [SECRET], "definitions": ["g/*"]}})
    settings = read_settings({"AzureWebJobsStorage": CONNECTION, "RINGMASTER_WEBHOOK_KEYS": given_keys})
    assert set(settings.scanners) == {"trivy", "ci"}
