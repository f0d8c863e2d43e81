"""oav, Azure's own validator of REST traffic against its OpenAPI, over what the ARM simulator answers.

It is installed from a lock file of its own into ``.local/oav`` when a test first asks for it; nothing else needs it.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from local.azurite.install import InstallError, node_binary

HERE: Final = Path(__file__).resolve().parent
TARGET: Final = HERE.parents[1] / ".local" / "oav"
_INSTALL_SECONDS: Final = 300
_CHECK_SECONDS: Final = 300


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing that a request or a response has against the specification."""

    operation: str
    side: str
    code: str
    path: str
    message: str
    file: str


def ensure_installed() -> Path:
    """The folder with oav's modules; installs them unless the lock file's are there. Raises InstallError."""
    lock, modules, stamp = HERE / "package-lock.json", TARGET / "node_modules", TARGET / "installed"
    TARGET.mkdir(parents=True, exist_ok=True)
    with (TARGET / ".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if stamp.is_file() and stamp.read_text(encoding="utf-8") == lock.read_text(encoding="utf-8"):
            return modules
        for name in ("package.json", "package-lock.json"):
            shutil.copyfile(HERE / name, TARGET / name)
        _npm_ci()
        shutil.copyfile(lock, stamp)
    return modules


def _npm_ci() -> None:
    npm = node_binary().parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    path = f"{node_binary().parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    try:
        subprocess.run(
            [node_binary(), npm, "ci", *options],
            cwd=TARGET,
            env=os.environ | {"PATH": path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_INSTALL_SECONDS,
            check=True,
        )
    except subprocess.TimeoutExpired as error:
        raise InstallError(f"npm ci in {TARGET} did not end within {_INSTALL_SECONDS} s") from error
    except subprocess.CalledProcessError as error:
        raise InstallError(f"npm ci in {TARGET} failed:\n{(error.stdout + error.stderr)[-2000:].strip()}") from error


def check(traffic: Mapping[Path, Sequence[Path]]) -> list[Issue]:
    """Every issue of recorded exchanges: specification file -> payload files, as oav's documentation has them.

    Raises InstallError when oav cannot be had, RuntimeError when it fails.
    """
    modules = ensure_installed()
    asked = [{"spec": str(spec), "payloads": [str(each) for each in payloads]} for spec, payloads in traffic.items()]
    with tempfile.TemporaryDirectory(prefix="ringmaster-oav-") as temporary:
        answers = Path(temporary) / "answers.json"
        done = subprocess.run(
            [node_binary(), HERE / "check.cjs", answers],
            input=json.dumps(asked),
            env=os.environ | {"NODE_PATH": str(modules)},
            capture_output=True,
            text=True,
            timeout=_CHECK_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"oav ended with {done.returncode}:\n{done.stderr[-3000:]}")
        return [issue for one in json.loads(answers.read_text(encoding="utf-8")) for issue in _issues(one)]


def _issues(one: Mapping[str, Any]) -> list[Issue]:
    return [
        Issue(
            one["operation"],
            each["side"],
            each["code"],
            each.get("path") or "",
            each["message"],
            Path(one["file"]).name,
        )
        for each in one["issues"]
    ]
