"""The example that opens a pull request, against a double of the GitHub API on a socket."""

import base64
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from examples.bicep_pull_request.github import GitHubError, Repository
from examples.bicep_pull_request.handler import on_published, with_value
from examples.events import NotForUs
from tests.unit.examples.published import published

IDS = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Compute/galleries/gal/images/Ubuntu/versions/"
PATH = "env/prod.bicepparam"
FILE = f"using '../main.bicep'\n\n// the image\nparam imageId = '{IDS}1.3.0'\nparam size = 'Standard_D2s_v5'\n"


@dataclass
class GitHub:
    """A repository on GitHub: files by branch, and pull requests."""

    branches: dict[str, str] = field(default_factory=lambda: {"main": FILE})
    pulls: list[dict[str, Any]] = field(default_factory=list)
    commits: list[str] = field(default_factory=list)
    refuses: int = 0
    """Requests that are refused with 403 before any is answered."""

    def answer(self, method: str, address: str, body: Any) -> tuple[int, Any]:
        if self.refuses:
            self.refuses -= 1
            return 403, {"message": "rate limit"}
        parts = urlsplit(address)
        path = unquote(parts.path.removeprefix("/repos/contoso/infra"))
        match method, path:
            case "GET", "":
                return 200, {"default_branch": "main"}
            case "GET", "/git/ref/heads/main":
                return 200, {"object": {"sha": "c0ffee"}}
            case "GET", _ if path == f"/contents/{PATH}":
                text = self.branches[parse_qs(parts.query)["ref"][0]]
                return 200, {"content": base64.encodebytes(text.encode()).decode(), "sha": str(hash(text))}
            case "POST", "/git/refs":
                name = body["ref"].removeprefix("refs/heads/")
                if name in self.branches:
                    return 422, {"message": "Reference already exists"}
                self.branches[name] = self.branches["main"]
                return 201, {}
            case "PUT", _ if path == f"/contents/{PATH}":
                if body["sha"] != str(hash(self.branches[body["branch"]])):
                    return 409, {"message": "does not match"}
                self.branches[body["branch"]] = base64.b64decode(body["content"]).decode()
                self.commits.append(body["message"])
                return 200, {}
            case "POST", "/pulls":
                if any(each["head"] == body["head"] for each in self.pulls):
                    return 422, {"message": "A pull request already exists"}
                self.pulls.append(body)
                return 201, {}
        return 404, {"message": "Not Found"}


@pytest.fixture
def github() -> GitHub:
    return GitHub()


@pytest.fixture
def repository(github: GitHub) -> Iterator[Repository]:
    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            assert self.headers["authorization"] == "Bearer token"
            sent = self.rfile.read(int(self.headers.get("content-length") or 0))
            status, document = github.answer(self.command, self.path, json.loads(sent) if sent else None)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(document).encode())

        do_GET = do_POST = do_PUT = _serve  # noqa: N815 - http.server's names

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield Repository("contoso/infra", "token", f"127.0.0.1:{server.server_address[1]}", secure=False)
        server.shutdown()
        thread.join()


def handle(repository: Repository, number: str = "1.4.0", **more: Any) -> str:
    event = published(f"{IDS}{number}", **more)
    return on_published(event, repository, path=PATH, parameter="imageId", ring="production")


def test_a_publication_becomes_a_pull_request_that_changes_one_line(github: GitHub, repository: Repository) -> None:
    branch = handle(repository)
    assert branch == "images/ubuntu-1.4.0"
    assert github.branches[branch] == FILE.replace("1.3.0", "1.4.0")
    assert [(each["title"], each["base"]) for each in github.pulls] == [("Use ubuntu 1.4.0", "main")]
    assert "production (westeurope)" in github.pulls[0]["body"]


def test_a_repetition_opens_no_second_one(github: GitHub, repository: Repository) -> None:
    handle(repository)
    handle(repository)
    assert (len(github.pulls), github.commits) == (1, ["Use ubuntu 1.4.0"])


def test_one_that_was_interrupted_is_continued(github: GitHub, repository: Repository) -> None:
    github.branches["images/ubuntu-1.4.0"] = FILE
    handle(repository)
    assert (len(github.commits), len(github.pulls)) == (1, 1)


@pytest.mark.parametrize("number", ["1.3.0", "1.2.9"])
def test_what_the_file_has_or_an_older_version_is_ignored(github: GitHub, repository: Repository, number: str) -> None:
    with pytest.raises(NotForUs, match="already"):
        handle(repository, number)
    assert list(github.branches) == ["main"]


def test_another_ring_is_ignored_before_github_is_asked(github: GitHub, repository: Repository) -> None:
    github.refuses = 1
    with pytest.raises(NotForUs, match="canary"):
        handle(repository, ring="canary")


def test_a_refusal_of_github_escapes_so_that_the_event_comes_again(github: GitHub, repository: Repository) -> None:
    github.refuses = 1
    with pytest.raises(GitHubError, match="rate limit"):
        handle(repository)
    assert handle(repository) == "images/ubuntu-1.4.0"


def test_a_file_without_the_parameter_is_said_so(github: GitHub, repository: Repository) -> None:
    github.branches["main"] = "param other = 'x'\n"
    with pytest.raises(NotForUs, match="no parameter imageId"):
        handle(repository)


def test_a_value_with_a_backslash_is_written_as_it_is() -> None:
    assert with_value("param a = 'x'\n", "a", r"\1") == "param a = '\\1'\n"
