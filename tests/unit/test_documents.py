"""What the hand-written documents say can be followed: links, commands, and the examples of signing a report."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from shared.cli.command_line import app
from shared.domain.signature import verify

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
README = (ROOT / "README.md").read_text()
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
WEBHOOK_KEY = "0123456789abcdef-of-a-test"


def without_code(text: str) -> str:
    return re.sub(r"`[^`\n]*`", "", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


def anchors(path: Path) -> set[str]:
    """What GitHub makes of headings."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(path: Path):
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(path.read_text())):
        if target.startswith("https://"):
            continue
        file, _, anchor = target.partition("#")
        found = (path.parent / file).resolve() if file else path
        assert found.exists(), target
        assert not anchor or anchor in anchors(found), target


def test_every_make_target_that_is_named_exists():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = "".join(path.read_text() for path in DOCUMENTS)
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE))
    assert {"demo", "up", "down", "test", "check"} <= named <= targets


def test_every_option_of_make_up_in_the_readme_is_one_that_the_makefile_reads():
    (table,) = re.findall(r"\| option of `make up` \|.*?\n\n", README, re.DOTALL)
    options = set(re.findall(r"\b([A-Z][A-Z_]+)=", table))
    assert options
    for option in options:
        assert f"$({option})" in (ROOT / "Makefile").read_text()


def test_every_ringmaster_command_that_is_named_exists():
    known = set(_commands(get_command(app)))
    for text in (README, RUNBOOK):
        for words in re.findall(r"(?:^|`|bin/)ringmaster ([a-z][-a-z ]*)", text, re.MULTILINE):
            assert any(f"{words} ".startswith(f"{command} ") for command in known), words


def _commands(command: Any, name: str = "") -> Iterator[str]:
    inner = getattr(command, "commands", {})
    for key, sub in inner.items():
        yield from _commands(sub, f"{name} {key}".strip())
    if not inner:
        yield name


def test_every_decision_is_numbered_once_and_names_what_was_rejected():
    files = sorted((ROOT / "docs" / "adr").glob("*.md"))
    numbers = [int(file.name[:4]) for file in files]
    assert numbers == list(range(1, len(files) + 1))
    for number, file in zip(numbers, files, strict=True):
        text = file.read_text()
        assert text.startswith(f"# {number}. ")
        assert "## Rejected" in text


def test_the_runbook_knows_every_state_and_the_glossary_every_gate():
    from shared.domain.release import Gate, State

    states = {state.value for state in State} - {State.REVOKED.value}
    assert states <= set(re.findall(r"^\| (\w+) \|", RUNBOOK, re.MULTILINE))
    glossary = (ROOT / "docs" / "glossary.md").read_text()
    assert all(gate.value.replace("_", " ") in glossary for gate in Gate)


# --- the examples of signing ------------------------------------------------------------------------------------------


@dataclass
class Received:
    """The requests that an example sent."""

    url: str = ""
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)


@pytest.fixture
def receiver() -> Iterator[Received]:
    received = Received()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            received.requests.append((self.path, headers, body))
            self.send_response(202)
            self.end_headers()
            self.wfile.write(b'{"status": "accepted"}')

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        received.url = f"http://127.0.0.1:{server.server_address[1]}"
        yield received
        server.shutdown()
        thread.join()


def block(language: str, containing: str) -> str:
    blocks = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    (found,) = [each for each in blocks if containing in each]
    return found


def environment(received: Received) -> dict[str, str]:
    return {
        **os.environ,
        "RINGMASTER_URL": received.url,
        "RINGMASTER_WEBHOOK_KEY": WEBHOOK_KEY,
        "NO_PROXY": "127.0.0.1",
    }


def assert_signed(received: Received, body: bytes) -> None:
    ((path, headers, sent),) = received.requests
    assert path.startswith("/api/scans/trivy?image=")
    assert sent == body
    verdict = verify(
        headers["x-ringmaster-timestamp"],
        headers["x-ringmaster-signature"],
        sent,
        [WEBHOOK_KEY.encode()],
        now=datetime.now(UTC),
        tolerance=timedelta(minutes=5),
    )
    assert verdict.ok, verdict.text


def test_the_readmes_python_example_signs_as_the_app_verifies(receiver: Received, tmp_path: Path):
    body = '{"SchemaVersion": 2, "ü": "\\n"}\r\n'.encode()
    (tmp_path / "report.json").write_bytes(body)
    (tmp_path / "send.py").write_text(block("python", "x-ringmaster-signature"))
    command = [sys.executable, "send.py", "/subscriptions/x/versions/1.0.0", "report.json"]
    done = subprocess.run(command, cwd=tmp_path, env=environment(receiver), capture_output=True, text=True, check=True)
    assert "accepted" in done.stdout
    assert_signed(receiver, body)


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("openssl")), reason="curl and openssl are not here")
def test_the_readmes_curl_example_signs_as_the_app_verifies(receiver: Received, tmp_path: Path):
    body = '{"SchemaVersion": 2, "ü": "\\n"}\r\n'.encode()
    (tmp_path / "report.json").write_bytes(body)
    script = "set -eu\n" + block("sh", "openssl dgst")
    subprocess.run(["bash", "-c", script], cwd=tmp_path, env=environment(receiver), capture_output=True, check=True)
    assert_signed(receiver, body)
