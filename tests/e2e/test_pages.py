"""Pages as a browser meets them: through the Functions host, from the storage of a running stack."""

import json
from collections.abc import Iterator
from html.parser import HTMLParser
from urllib.parse import urljoin

import pytest
import requests

from local.host.people import Person
from tests.e2e.app import App
from tests.e2e.conftest import Running
from tests.e2e.scene import PEOPLE, report, version

pytestmark = pytest.mark.stack

REJECTED = version("routes", "0.5.0")
READER, GUEST = PEOPLE["reader"], PEOPLE["guest"]
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
    assert ">3 critical findings exceed the limit of 0</strong>" in text
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


class Form(HTMLParser):
    """The one form of a page: where it is sent, and what each of its buttons says."""

    def __init__(self, page: requests.Response) -> None:
        super().__init__()
        self.action = ""
        self.buttons: list[tuple[str, str]] = []
        self._base = page.url
        self.feed(page.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.action = urljoin(self._base, given["action"])
        if tag == "button":
            self.buttons.append((given["name"], given["value"]))


class Browser:
    """What a person does: ask, follow the link to sign in, choose who they are."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.session = requests.Session()
        self.session.trust_env = False

    def look(self, name: str, **params: str) -> requests.Response:
        """A page, with the cookies there are, and without any key."""
        url = f"{self.app.environment['RINGMASTER_URL']}/api/pages/{name}"
        return self.session.get(url, params=params, timeout=30)

    def sign_in(self, refused: requests.Response, person: Person) -> requests.Response:
        """Follow the link of a page that wants a sign-in; what one is led back to."""
        (link,) = [each for each in Links(refused).found if "/.auth/" in each]
        form = Form(self.session.get(link, timeout=30))
        (button,) = [each for each in form.buttons if each[1] == person.id]
        return self.session.post(form.action, data=[button], timeout=30)


@pytest.fixture(scope="module")
def signed(running: Running) -> Iterator[App]:
    """The app of a stack in which people sign in."""
    with running(sign_in=True) as found:
        yield found


@pytest.fixture
def browser(signed: App) -> Iterator[Browser]:
    """A browser without cookies."""
    found = Browser(signed)
    yield found
    found.session.close()


class TestReaders:
    """An app that names readers; App Service Authentication says who asks."""

    def test_the_one_on_call_signs_in_and_reads_how_a_version_was_released(self, browser: Browser) -> None:
        image = version("routes", "0.6.0")
        assert browser.app.released(image)["state"] == "released"
        refused = browser.look("release", version=str(image))
        assert refused.status_code == 401
        shown = browser.sign_in(refused, READER)
        assert (shown.status_code, shown.url) == (200, refused.url)
        assert f"<h1>{image.short}</h1>" in shown.text
        assert "released" in shown.text
        scan = browser.look("scan", version=str(image))
        assert (scan.status_code, f"<h1>Scan of {image.short}</h1>" in scan.text) == (200, True)
        links = [each for each in Links(browser.look("releases")).found if "/api/pages/release?" in each]
        assert [browser.session.get(each, timeout=30).status_code for each in links] == [200]

    def test_whoever_is_no_reader_is_shown_nothing(self, browser: Browser) -> None:
        assert browser.sign_in(browser.look("releases"), GUEST).status_code == 403

    def test_a_header_that_says_who_one_is_counts_for_nothing(self, browser: Browser) -> None:
        browser.session.headers.update(READER.headers())
        assert browser.look("releases").status_code == 401
        assert browser.sign_in(browser.look("releases"), GUEST).status_code == 403

    def test_whoever_signs_out_reads_no_more(self, browser: Browser) -> None:
        assert browser.sign_in(browser.look("releases"), READER).status_code == 200
        bye = browser.session.get(f"{browser.app.environment['RINGMASTER_URL']}/.auth/logout", timeout=30)
        assert bye.status_code == 200
        assert browser.look("releases").status_code == 401

    def test_a_restart_of_the_host_ends_sessions(self, browser: Browser) -> None:
        assert browser.sign_in(browser.look("releases"), READER).status_code == 200
        browser.app.stack.restart("host")
        assert browser.look("releases").status_code == 401

    def test_the_other_routes_of_people_want_their_key_still(self, signed: App, browser: Browser) -> None:
        assert signed.ask(key="").status_code == 401
        browser.sign_in(browser.look("releases"), READER)
        url = f"{signed.environment['RINGMASTER_URL']}/api/releases"
        assert browser.session.get(url, timeout=30).status_code == 401
        assert signed.ask().status_code == 200
