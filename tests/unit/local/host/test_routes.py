"""Route templates match as ASP.NET Core routing matches them."""

import pytest

from local.host.paths import request_path, shown_path
from local.host.routes import Route, RouteError, RouteTable


@pytest.mark.parametrize(
    ("template", "path", "expected"),
    [
        ("api/scans/{format}", "/api/scans/trivy", {"format": "trivy"}),
        ("api/scans/{format}", "/API/Scans/Trivy", {"format": "Trivy"}),
        ("api/scans/{format}", "/api/scans", None),
        ("api/scans/{format}", "/api/scans/a/b", None),
        ("api/scans/{format?}", "/api/scans", {}),
        ("api/scans/{format=trivy}", "/api/scans", {"format": "trivy"}),
        ("files/{*rest}", "/files/a/b%20c", {"rest": "a/b c"}),
        ("files/{*rest}", "/files/a%2Fb%2fc", {"rest": "a%2Fb%2fc"}),
        ("files/{*rest}", "/files", {}),
        ("files/{*rest}", "/files/", {}),
        ("v/{id}", "/v/x/", {"id": "x"}),
        ("v/{id}", "/v//x", None),
        ("v/{id}", "/v/x//", None),
        ("v/{id}", "/other/../v/./x", {"id": "x"}),
        ("v/{id}", "/other/%2e%2e/v/%2Bx%20y", {"id": "+x y"}),
        ("v/{id}", "/v/%FF%41", {"id": "%FF%41"}),
        ("v/{id}", "/v/%252F", {"id": "%2F"}),
        ("v/{id:int}", "/v/12", {"id": "12"}),
        ("v/{id:int}", "/v/2147483648", None),
        ("v/{id:long}", "/v/2147483648", {"id": "2147483648"}),
        ("v/{id:guid}", "/v/6f9619ff-8b86-d011-b42d-00c04fc964ff", {"id": "6f9619ff-8b86-d011-b42d-00c04fc964ff"}),
        ("v/{id:guid}", "/v/x", None),
        ("v/{id:int:min(5)}", "/v/4", None),
        ("v/{id:range(1,3)}", "/v/3", {"id": "3"}),
        ("v/{id:length(2,3)}", "/v/abcd", None),
        ("v/{id:alpha}", "/v/ab1", None),
        ("v/{id:bool}", "/v/TRUE", {"id": "TRUE"}),
        (r"v/{id:regex(^\d{{2}}/?$)}", "/v/12", {"id": "12"}),
        (r"v/{id:regex(^\d{{2}}$)}", "/v/123", None),
        ("v/{major}.{minor}", "/v/1.2", {"major": "1", "minor": "2"}),
    ],
)
def test_a_template_takes_its_parameters_from_the_path(
    template: str, path: str, expected: dict[str, str] | None
) -> None:
    assert Route(template).match(request_path(path)) == expected


@pytest.mark.parametrize("template", ["a/{", "a/{x:nope}", "a/{*rest}/b", "{x}/{X}", "a/{x:min(a)}", "a/{x", "a/x}"])
def test_a_template_that_cannot_be_read_is_refused(template: str) -> None:
    with pytest.raises(RouteError):
        Route(template)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [("/a%20b%2Bc/d%2Fe", "/a%20b+c/d%2Fe"), ("/%C3%A9/100%25", "/%C3%A9/100%25"), ("/x/../y/.", "/y/"), ("/..", "/")],
)
def test_a_path_is_shown_as_aspnet_core_shows_it(raw: str, shown: str) -> None:
    assert shown_path(request_path(raw)) == shown


@pytest.mark.parametrize(
    ("order", "winner"),
    [
        ({"a_rest": "s/{*rest}", "b_format": "s/{format}", "c_all": "s/all"}, "a_rest"),
        ({"c_rest": "s/{*rest}", "B_format": "s/{format}", "a_id": "s/{id:int}"}, "B_format"),
        ({"b_rest": "s/{*rest}", "_format": "s/{format}", "c_all": "s/all"}, "b_rest"),  # Z < _ in ordinal order
    ],
)
def test_the_function_whose_name_comes_first_wins_however_definite_others_are(
    order: dict[str, str], winner: str
) -> None:
    table: RouteTable[str] = RouteTable()
    for name, template in order.items():
        table.add(name, Route(template), name)
    assert table.find("GET", "/s/all") == (winner, {"format": "all"} if "format" in winner else {"rest": "all"})


def test_a_method_that_the_function_does_not_take_is_no_match() -> None:
    table: RouteTable[str] = RouteTable()
    table.add("a", Route("a", frozenset({"POST"})), "a")
    assert table.find("GET", "/a") is None
    assert table.find("post", "/a") == ("a", {})


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("p/{x}", "p/lit", True),
        ("p/{x}", "q/{x}", False),
        ("ui", "ui/{*rest}", True),
        ("ui/{*rest}", "ui/a/b", True),
        ("{*rest}", "anything/at/all", True),
        ("p/{x?}", "p", True),
        ("p/{x=1}", "P", True),
        ("p/{x}", "p", False),
        ("releases", "releases/resend", False),
        ("v/{major}.{minor}", "v/latest", False),
        ("v/{major}.{minor}", "v/1.2", True),
        ("v/{id:int}", "v/{name}", True),
    ],
)
def test_routes_overlap_where_some_path_may_match_both(one: str, other: str, same: bool) -> None:
    assert Route(one).overlaps(Route(other)) is Route(other).overlaps(Route(one)) is same


def test_routes_without_a_common_method_do_not_overlap() -> None:
    read, write = frozenset({"GET"}), frozenset({"POST", "PUT"})
    assert not Route("p/{x}", read).overlaps(Route("p/lit", write))
    assert Route("p/{x}").overlaps(Route("p/lit", write))
