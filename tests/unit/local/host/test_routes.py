"""Route templates match as ASP.NET Core routing matches them."""

import pytest

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
        ("files/{*rest}", "/files", {}),
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
    assert Route(template).match(path) == expected


@pytest.mark.parametrize("template", ["a/{", "a/{x:nope}", "a/{*rest}/b", "{x}/{X}", "a/{x:min(a)}", "a/{x", "a/x}"])
def test_a_template_that_cannot_be_read_is_refused(template: str) -> None:
    with pytest.raises(RouteError):
        Route(template)


def test_the_more_definite_route_wins_whatever_the_order() -> None:
    table: RouteTable[str] = RouteTable()
    for template in ("s/{*rest}", "s/{format}", "s/{id:int}", "s/all"):
        table.add(Route(template), None, template)
    answers = [table.find("GET", path) for path in ("/s/all", "/s/7", "/s/trivy", "/s/a/b")]
    assert [answer[0] for answer in answers if answer] == ["s/all", "s/{id:int}", "s/{format}", "s/{*rest}"]


def test_a_method_that_the_function_does_not_take_is_no_match() -> None:
    table: RouteTable[str] = RouteTable()
    table.add(Route("a"), frozenset({"POST"}), "a")
    assert table.find("GET", "/a") is None
    assert table.find("post", "/a") == ("a", {})
