"""The clients: what each needs, how its walk is started, and what came of every step."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
UV = ROOT / ".local" / "uv" / "bin" / "uv"
SECONDS = 1800.0
"""How long a walk may take."""


@dataclass(frozen=True, slots=True)
class Step:
    """What came of one step of one client's walk."""

    client: str
    name: str
    ok: bool
    words: str


@dataclass(frozen=True, slots=True)
class Client:
    """One client: `command` is what its virtual environment runs, `read` turns what it printed into steps."""

    name: str
    requirements: str
    command: tuple[str, ...]
    read: Callable[[str, str], Iterator[Step]]

    @property
    def venv(self) -> Path:
        """Its virtual environment."""
        return ROOT / f".venv-{self.requirements}"

    def install(self) -> str | None:
        """Put what it needs into its virtual environment; answers why that cannot be done here, or None."""
        pinned = HERE / "requirements" / f"{self.requirements}.txt"
        done = self.venv / ".installed"
        if done.exists() and done.stat().st_mtime >= pinned.stat().st_mtime:
            return None
        python = str(self.venv / "bin" / "python")
        commands = [
            [str(UV), "venv", "--quiet", "--allow-existing", "--python", "3.13", str(self.venv)],
            [str(UV), "pip", "sync", "--quiet", "--python", python, str(pinned)],
        ]
        for command in commands:
            ended = subprocess.run(command, capture_output=True, text=True, check=False)
            if ended.returncode:
                return ended.stderr.strip().splitlines()[-1] if ended.stderr.strip() else f"{command[1]} failed"
        done.touch()
        return None

    def walk(self, environment: dict[str, str]) -> list[Step]:
        """Walk against the simulator that the environment names."""
        path = f"{self.venv / 'bin'}{os.pathsep}{os.environ['PATH']}"
        command = [str(self.venv / "bin" / self.command[0]), *self.command[1:]]
        try:
            ended = subprocess.run(
                command,
                cwd=ROOT,
                env={**os.environ, **environment, "PATH": path},
                capture_output=True,
                text=True,
                check=False,
                timeout=SECONDS,
            )
        except subprocess.TimeoutExpired:
            return [Step(self.name, "all of it", False, f"not done within {SECONDS:.0f} s")]
        found = list(self.read(self.name, ended.stdout))
        return found or [Step(self.name, "all of it", False, _last(ended.stderr))]


def _last(text: str) -> str:
    return " ".join(text.split())[-300:] or "nothing was printed"


def _lines(client: str, printed: str) -> Iterator[Step]:
    """One JSON object a line, as the walks in Python print them."""
    for line in printed.splitlines():
        if line.startswith("{"):
            one = json.loads(line)
            yield Step(client, one["step"], one["ok"], _short(one["words"]))


def _tasks(client: str, printed: str) -> Iterator[Step]:
    """Ansible's result as its JSON callback prints it."""
    start = printed.find("{")
    for play in json.loads(printed[start:])["plays"] if start >= 0 else ():
        for task in play["tasks"]:
            for result in task["hosts"].values():
                words = str(result.get("msg") or ("changed" if result.get("changed") else "unchanged"))
                yield Step(client, task["task"]["name"], not result.get("failed"), _short(words))


def _short(words: str) -> str:
    return " ".join(words.split())[:160]


CLIENTS = (
    Client("Azure SDK", "sdk", ("python", "local/outsiders/walks/sdk.py"), _lines),
    Client(
        "Cloud Custodian",
        "custodian",
        ("python", "local/outsiders/walks/custodian.py", "local/outsiders/walks/custodian.yml"),
        _lines,
    ),
    Client(
        "Ansible",
        "ansible",
        ("ansible-playbook", "-i", "localhost,", "local/outsiders/walks/playbook.yml"),
        _tasks,
    ),
)
"""All of them, those first that need the least."""
