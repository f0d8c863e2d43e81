"""Pages can be read without sight, without scripts, in the dark and on a phone."""

from dataclasses import replace
from functools import cache
from itertools import pairwise

import pytest

from shared.domain.policy import FailedRescanAction, Severity
from shared.web import site
from shared.web.templating import Page
from tests.flow.rehearsal import BEGIN, DEFINITION, Rehearsal
from tests.unit.web.scene import Read, exception, finding, read, report

STYLE = "".join(Read(site.error_page(400, "")).all("style")[0].text)


@cache
def scene() -> tuple[Rehearsal, str]:
    """A release that was published, scanned again and failed, beside one that waits and one that has stalled."""
    rules = replace(
        DEFINITION.scan,
        no_new=(Severity.HIGH,),
        on_failed_rescan=FailedRescanAction.ALERT,
        exceptions=(exception("CVE-2026-0002"), exception("CVE-2026-0003", days=-1)),
    )
    play = Rehearsal(replace(DEFINITION, scan=rules))
    version = play.publish(scan=None)
    play.after(10, lambda: play.scan(version, body=report(play, version, [finding(Severity="LOW")])))
    play.run()
    later = [finding(f"CVE-2026-000{at}", f"package-{at}", Severity="HIGH") for at in range(2, 9)]
    play.after(1, lambda: play.scan(version, body=report(play, version, later)))
    play.run()
    play.publish("1.1.0", scan=None)
    play.wait(minutes=20)
    return play, str(version)


PAGES = [
    *(("releases", {}), ("release", {}), ("scan", {}), ("scan", {"group": "0"}), ("scan", {"standing": "gone"})),
    *(("scan", {"page": "x"}), ("none", {})),
]


@pytest.fixture(params=PAGES, ids=str)
async def page(request: pytest.FixtureRequest) -> Read:
    play, version = scene()
    name, query = request.param
    found: Page = await site.page(name, {"version": version, **query}, play.cloud.world, now=play.scheduler.now)
    return Read(found)


def test_a_page_says_its_language_and_its_width_and_that_it_can_be_dark(page: Read) -> None:
    assert page.all("html")[0].attributes["lang"] == "en"
    said = {each.attributes.get("name"): each.attributes.get("content") for each in page.all("meta")}
    assert (said["viewport"], said["color-scheme"]) == ("width=device-width, initial-scale=1", "light dark")


def test_headings_lead_down_one_step_at_a_time_from_one_title(page: Read) -> None:
    levels = [int(each.tag[1]) for each in page.elements if each.tag in {"h1", "h2", "h3", "h4"}]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_every_table_has_a_caption_and_every_heading_of_it_a_scope(page: Read) -> None:
    tables = [at for at, each in enumerate(page.elements) if each.tag == "table"]
    assert all(page.elements[at + 1].tag == "caption" and str(page.elements[at + 1]) for at in tables)
    assert all(each.attributes.get("scope") in {"row", "col"} for each in page.all("th"))


def test_every_name_of_a_region_is_there_once(page: Read) -> None:
    ids = [each.attributes["id"] for each in page.elements if "id" in each.attributes]
    assert len(ids) == len(set(ids))
    assert {each.attributes["aria-labelledby"] for each in page.elements if "aria-labelledby" in each.attributes} <= {
        *ids
    }


def test_every_link_has_words_and_leads_somewhere(page: Read) -> None:
    assert all(str(each) and each.attributes["href"] for each in page.all("a"))


def test_the_order_of_the_page_is_the_order_of_the_keyboard(page: Read) -> None:
    assert {each.attributes["tabindex"] for each in page.elements if "tabindex" in each.attributes} <= {"0"}


async def test_colour_never_says_anything_alone() -> None:
    play, version = scene()
    found = await read(play.cloud.world, "scan", version=version, at=BEGIN)
    for row in found.rows("Blocking findings first"):
        assert row.startswith(tuple(Severity))
    assert "rejected" in found.text


def test_the_style_sheet_loads_nothing_and_knows_dark_and_narrow_screens() -> None:
    assert "url(" not in STYLE
    assert "@import" not in STYLE
    assert "prefers-color-scheme: dark" in STYLE
    assert "max-width: 44rem" in STYLE
