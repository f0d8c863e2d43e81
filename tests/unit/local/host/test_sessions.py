"""A session cookie counts only as this host signed it, and only for its time."""

from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta

import pytest

from local.host.sessions import LIFETIME, Sessions

PERSON = "6c1b7f0a-2f5e-5d0c-8a43-0d6f5b1e9c11"
NOW = datetime(2026, 11, 21, 4, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture
def sessions() -> Sessions:
    return Sessions(b"k" * 32)


def test_a_cookie_stands_for_whom_it_was_issued_to(sessions: Sessions) -> None:
    assert sessions.holder(sessions.issue(PERSON, NOW), NOW) == PERSON


def test_it_ends_after_eight_hours_to_the_second(sessions: Sessions) -> None:
    cookie = sessions.issue(PERSON, NOW)
    assert timedelta(hours=8) == LIFETIME
    assert sessions.holder(cookie, NOW + LIFETIME - SECOND) == PERSON
    assert sessions.holder(cookie, NOW + LIFETIME) is None


def test_a_cookie_of_another_key_is_none(sessions: Sessions) -> None:
    assert Sessions(b"j" * 32).holder(sessions.issue(PERSON, NOW), NOW) is None


def test_each_host_has_a_key_of_its_own() -> None:
    assert Sessions().holder(Sessions().issue(PERSON, NOW), NOW) is None


def test_a_cookie_that_is_altered_anywhere_is_none(sessions: Sessions) -> None:
    cookie = sessions.issue(PERSON, NOW)
    for at, char in enumerate(cookie):
        for other in "Ab0-._=":
            if other != char:
                assert sessions.holder(cookie[:at] + other + cookie[at + 1 :], NOW) is None


def test_neither_another_person_nor_a_longer_time_fits_the_signature(sessions: Sessions) -> None:
    signature = sessions.issue(PERSON, NOW).partition(".")[2]
    for content in (f"{int((NOW + LIFETIME).timestamp())}:{PERSON[::-1]}", f"99999999999:{PERSON}"):
        forged = f"{urlsafe_b64encode(content.encode()).decode()}.{signature}"
        assert sessions.holder(forged, NOW) is None


@pytest.mark.parametrize("cookie", ["", ".", "a.b", "=.=", PERSON, "é.ü", "\x00", "A" * 100_000, "A" * 4096 + ".A"])
def test_what_is_no_cookie_of_ours_is_none(sessions: Sessions, cookie: str) -> None:
    assert sessions.holder(cookie, NOW) is None


@pytest.mark.parametrize("change", [str.rstrip, lambda text: text.rstrip("="), lambda text: text + " ", str.lower])
def test_a_cookie_has_one_form_only(sessions: Sessions, change: object) -> None:
    cookie = sessions.issue(PERSON, NOW)
    changed = change(cookie)  # type: ignore[operator]
    assert sessions.holder(changed, NOW) == (PERSON if changed == cookie else None)
