"""Pages as a browser meets them: through the Functions host, from the storage of a running stack."""

import base64
import json
from collections.abc import Iterator
from html.parser import HTMLParser
from urllib.parse import urljoin

import pytest
import requests

from tests.e2e.app import App
from tests.e2e.conftest import Running
from tests.e2e.scene import report, version

pytestmark = pytest.mark.stack

REJECTED = version("routes", "0.5.0")
READER = "0a0b0c0d-0000-4000-8000-00000000000a"
FINDINGS = 450


class Links(HTMLParser):
    """Where the links of a page lead."""

    def __init__(self, page: requests.Response) -> None:
        super().__init__()
        self.found: list[str] = []
        self._base = page.url
        self.feed(page.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found.append(urljoin(self._base, dict(attrs)["href"] or ""))


@pytest.fixture(scope="module")
def rejected(app: App) -> App:
    """The app, with a release that was rejected for its scan."""
    app.publish(REJECTED)
    app.awaiting_scan(REJECTED)
    document = json.loads(report(REJECTED))
    document["Results"][0]["Vulnerabilities"] = [
        {
            "VulnerabilityID": f"CVE-2026-{10_000 + at}",
            "PkgName": f"package-{at % 30}",
            "InstalledVersion": "1.0",
            "FixedVersion": f"1.{at}",
            "Severity": "CRITICAL" if at < 3 else "LOW",
        }
        for at in range(FINDINGS)
    ]
    answer = app.scan(REJECTED, json.dumps(document).encode())
    assert answer.status_code == 202, answer.text
    assert app.settled(REJECTED)["state"] == "rejected"
    return app


def page(app: App, name: str, **params: str) -> requests.Response:
    answer = app.ask(f"/api/pages/{name}", **params)
    assert answer.status_code == 200, answer.text
    return answer


def test_the_scan_of_a_rejected_version_says_why_and_what_would_have_to_change(rejected: App) -> None:
    text = page(rejected, "scan", version=str(REJECTED)).text
    assert ">3 critical, 0 allowed</strong>" in text
    assert "CVE-2026-10000 in package-0 1.0, fixed in 1.0" in text
    assert "upgrade package-0 1.0 to 1.0 or later (CVE-2026-10000)" in text
    assert "450 findings" in text


def test_its_findings_are_read_from_storage_page_by_page(rejected: App) -> None:
    pages = [page(rejected, "scan", version=str(REJECTED), page=str(at)).text for at in (1, 2, 3)]
    assert [sum(f">CVE-2026-{10_000 + at}</a>" in text for at in range(FINDINGS)) for text in pages] == [200, 200, 50]


def test_every_link_within_the_pages_leads_to_a_page(rejected: App) -> None:
    here = f"{rejected.environment['RINGMASTER_URL']}/api/pages/"
    seen: set[str] = set()
    for name in ("releases", "release", "scan"):
        links = Links(page(rejected, name, version=str(REJECTED))).found
        own = {each.partition("#")[0] for each in links if each.startswith(here)}
        assert own, name
        for each in sorted(own - seen)[:8]:
            answer = rejected.ask(each.removeprefix(rejected.environment["RINGMASTER_URL"]))
            assert answer.status_code == 200, each
            assert rejected.environment["RINGMASTER_KEY"] not in each
        seen |= own


def test_a_page_is_html_that_may_load_nothing_and_is_kept_by_nobody(rejected: App) -> None:
    answer = page(rejected, "scan", version=str(REJECTED))
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("name", ["releases", "release", "scan", "evidence", "none"])
@pytest.mark.parametrize("key", ["", "wrong"])
def test_without_a_key_nothing_is_shown(app: App, name: str, key: str) -> None:
    answer = app.ask(f"/api/pages/{name}", key=key, version=str(REJECTED))
    assert (answer.status_code, answer.text) == (401, "")


def test_a_key_in_an_address_is_refused(app: App) -> None:
    answer = app.ask("/api/pages/releases", key="", code=app.environment["RINGMASTER_KEY"])
    assert answer.status_code == 400
    assert app.environment["RINGMASTER_KEY"] not in answer.text


@pytest.mark.parametrize(
    ("name", "params", "status"),
    [
        ("none", {}, 404),
        ("release", {"version": "nonsense"}, 400),
        ("scan", {"version": str(version("routes", "7.7.7"))}, 404),
    ],
)
def test_what_is_not_there_is_told_on_a_page(app: App, name: str, params: dict[str, str], status: int) -> None:
    answer = app.ask(f"/api/pages/{name}", **params)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")


class TestReaders:
    """An app that names readers; its platform says who asks."""

    @pytest.fixture(scope="class")
    def signed(self, running: Running) -> Iterator[App]:
        with running(settings={"RINGMASTER_PAGE_READERS": READER, "RINGMASTER_TRUST_EASYAUTH": "true"}) as found:
            yield found

    def ask(self, app: App, object_id: str | None) -> requests.Response:
        claims = {"auth_typ": "aad", "claims": [{"typ": "oid", "val": object_id}]}
        header = {"x-ms-client-principal": base64.b64encode(json.dumps(claims).encode()).decode()}
        url = f"{app.environment['RINGMASTER_URL']}/api/pages/releases"
        return requests.get(url, headers=header if object_id else {}, timeout=30)

    def test_a_reader_needs_no_key(self, signed: App) -> None:
        assert self.ask(signed, READER).status_code == 200

    def test_others_are_shown_nothing(self, signed: App) -> None:
        assert self.ask(signed, READER.replace("a", "b")).status_code == 403
        asked = self.ask(signed, None)
        assert (asked.status_code, "/.auth/login/aad?" in asked.text) == (401, True)

    def test_the_other_routes_of_people_want_their_key_still(self, signed: App) -> None:
        assert signed.ask(key="").status_code == 401
