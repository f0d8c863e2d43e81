"""Whatever an address asks for, the answer is a page."""

from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.findings_list import Disposition
from shared.domain.image import VersionId
from shared.domain.policy import Severity
from shared.ports import World
from shared.web import site
from tests.flow.rehearsal import BEGIN
from tests.unit.web.scene import Read, finding, judged


@cache
def scene() -> tuple[World, VersionId]:
    """A release with some findings."""
    found = [
        finding(f"CVE-2026-{1000 + at}", f"p{at % 7}", Severity=("LOW", "HIGH", "CRITICAL")[at % 3])
        for at in range(250)
    ]
    play, version = judged(found)
    return play.cloud.world, version


NAMES = ("page", "groups", "group", "severity", "standing", "decided", "new", "evidence", "definition", "state")
VALUES = st.one_of(
    st.integers(-2, 300).map(str),
    st.sampled_from([*Severity, *Disposition, "only", "rejected"]),
    st.text(max_size=12),
)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(site.PAGES), st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=4), st.booleans())
async def test_every_query_gets_a_whole_page_or_is_told_why_not(name: str, query: dict[str, str], known: bool) -> None:
    world, version = scene()
    page = await site.page(name, query | ({"version": str(version)} if known else {}), world, now=BEGIN)
    assert page.status in {200, 400, 404}
    assert Read(page).all("h1")
    page.body.encode()
