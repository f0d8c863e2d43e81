"""Releases whose scans were judged by the pipeline itself, and pages read as a browser reads them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

from shared.domain.image import VersionId
from shared.domain.policy import ScanException
from shared.ports import World
from shared.web import site
from shared.web.templating import Page
from tests.flow.rehearsal import BEGIN, SMALL, Rehearsal, small_report

VOID = {"meta", "br", "link", "img", "input"}
APART = {"td", "th", "small", "li", "dd", "h1", "h2", "p", "div"}
"""What a browser shows apart from what stands before and after."""


def finding(id_: str = "CVE-2026-0001", package: str = "openssl", **changes: Any) -> dict[str, Any]:
    """A vulnerability as Trivy reports it: critical, with a fix."""
    given = {"InstalledVersion": "1.0", "FixedVersion": "1.1", "Severity": "CRITICAL", **changes}
    return {"VulnerabilityID": id_, "PkgName": package, **given}


def exception(id_: str, *, days: float = 10, **changes: Any) -> ScanException:
    """An exception that lasts so many days longer."""
    given = {"owner": "platform@example.com", "reason": "not reachable", **changes}
    return ScanException(id_, expires=BEGIN + timedelta(days=days), **given)


def report(play: Rehearsal, version: VersionId, findings: Sequence[Mapping[str, Any]]) -> bytes:
    """A Trivy report with these findings and no others."""
    document = json.loads(small_report("clean", version, play.scheduler.now))
    document["Results"][0]["Vulnerabilities"] = list(findings)
    return json.dumps(document).encode()


def judged(findings: Sequence[Mapping[str, Any]], **rules: Any) -> tuple[Rehearsal, VersionId]:
    """A version whose scan found these, judged under a policy with these changes."""
    play = Rehearsal(replace(SMALL, scan=replace(SMALL.scan, **rules)))
    version = play.publish(scan=None)
    play.after(10, lambda: play.scan(version, body=report(play, version, findings)))
    play.until(lambda: play.has(version) and any(each.gate.value == "scan" for each in play.release(version).gates))
    return play, version


@dataclass(frozen=True)
class Element:
    """A tag with its attributes, and all text within it."""

    tag: str
    attributes: dict[str, str | None]
    text: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return " ".join("".join(self.text).split())


class Read(HTMLParser):
    """A page as a browser reads it. Fails on tags that are not closed in order."""

    def __init__(self, page: Page) -> None:
        super().__init__()
        self.page = page
        self.elements: list[Element] = []
        self._open: list[Element] = []
        self.feed(page.body)
        self.close()
        assert not self._open, f"not closed: {[each.tag for each in self._open]}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, dict(attrs))
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)
        if tag in APART:
            self.handle_data(" ")

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> closes nothing"
        assert self._open[-1].tag == tag, f"</{tag}> closes <{self._open[-1].tag}>"
        self._open.pop()
        if tag in APART:
            self.handle_data(" ")

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text.append(data)

    def all(self, tag: str) -> list[Element]:
        """Every element of this kind."""
        return [each for each in self.elements if each.tag == tag]

    def rows(self, caption: str) -> list[str]:
        """The text of each row in the body of the table whose caption has these words."""
        inside, found = False, []
        for at, each in enumerate(self.elements):
            if each.tag == "table":
                inside = any(one.tag == "caption" and caption in str(one) for one in self.elements[at : at + 2])
            elif each.tag == "tr" and inside:
                found.append(str(each))
        return found[1:]

    def links(self) -> dict[str, str]:
        """Where each link leads, by its text."""
        return {str(each): each.attributes["href"] or "" for each in self.all("a")}

    @property
    def text(self) -> str:
        """All text of the page."""
        return " ".join(str(each) for each in self.all("main"))


async def read(world: World, name: str, *, at: Any = BEGIN, **query: object) -> Read:
    """A page that is there."""
    page = await site.page(name, {key: str(value) for key, value in query.items()}, world, now=at)
    assert page.status == 200, page.body
    return Read(page)
