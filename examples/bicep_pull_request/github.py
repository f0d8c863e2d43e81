"""The few calls of GitHub's REST API that the consumer needs, over the standard library."""

from __future__ import annotations

import base64
import http.client
import json
import urllib.parse
from dataclasses import dataclass
from typing import Any


class GitHubError(Exception):
    """GitHub refused a request; ``status`` is HTTP's."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"GitHub answered {status}: {text}")
        self.status = status


@dataclass(frozen=True, slots=True)
class Repository:
    """One repository, and the token of an app or a user that may write its contents and pull requests."""

    name: str
    """``owner/name``."""
    token: str
    host: str = "api.github.com"
    secure: bool = True

    def default_branch(self) -> str:
        """The branch that pull requests go to."""
        return self._ask("GET", "")["default_branch"]

    def head(self, branch: str) -> str:
        """The commit of a branch."""
        return self._ask("GET", f"/git/ref/heads/{urllib.parse.quote(branch)}")["object"]["sha"]

    def read(self, path: str, branch: str) -> tuple[str, str]:
        """The text of a file, and the blob's id, which a change of it needs."""
        found = self._ask("GET", f"/contents/{urllib.parse.quote(path)}?ref={urllib.parse.quote(branch, safe='')}")
        return base64.b64decode(found["content"]).decode(), found["sha"]

    def create_branch(self, branch: str, commit: str) -> None:
        """Create a branch. One that exists is left as it is (422)."""
        self._ask("POST", "/git/refs", {"ref": f"refs/heads/{branch}", "sha": commit}, accepts=422)

    def write(self, path: str, text: str, blob: str, *, branch: str, message: str) -> None:
        """Commit a change of a file."""
        content = base64.b64encode(text.encode()).decode()
        body = {"message": message, "content": content, "sha": blob, "branch": branch}
        self._ask("PUT", f"/contents/{urllib.parse.quote(path)}", body)

    def open_pull_request(self, branch: str, base: str, *, title: str, body: str) -> None:
        """Open a pull request. One that exists for the branch is left as it is (422)."""
        self._ask("POST", "/pulls", {"title": title, "body": body, "head": branch, "base": base}, accepts=422)

    def _ask(self, method: str, path: str, body: Any = None, *, accepts: int = 0) -> Any:
        kind = http.client.HTTPSConnection if self.secure else http.client.HTTPConnection
        connection = kind(self.host, timeout=30)
        headers = {
            "accept": "application/vnd.github+json",
            "authorization": f"Bearer {self.token}",
            "user-agent": "ringmaster-example",
            "x-github-api-version": "2022-11-28",
        }
        try:
            sent = None if body is None else json.dumps(body).encode()
            connection.request(method, f"/repos/{self.name}{path}", sent, headers)
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        if response.status >= 400 and response.status != accepts:
            raise GitHubError(response.status, text[:300].decode(errors="replace"))
        return json.loads(text) if text else {}
