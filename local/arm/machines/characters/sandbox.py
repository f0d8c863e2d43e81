"""Runs a submitted script for real, so that what it prints is what it does and no echo.

A shell runs the script in a temporary directory that is removed afterwards. Its PATH holds the guest's tools (`tools/`)
and links to harmless ones of the machine below; the environment is empty but for what a run command gets. Absolute
paths of the guest (`/etc/…`, `/proc/…`, `/usr/bin/systemctl`) in the script's text become paths below the temporary
directory, and back again in its output. That makes answers plausible; it is no jail: a script is as trusted as the
person who starts the simulator. Bounds: wall time, output, file size, number of open files; at the time limit the
whole process group is killed.

Windows: only PowerShell can run a PowerShell script. Where `pwsh` is installed the script is given to it as it is,
with `COMPUTERNAME` set; without it the command fails with exit code 127 and says why.
"""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from local.arm.machines.characters import guest

OUTPUT_LIMIT = 4096
"""Bytes of output and of error that a run command's instance view keeps: the last ones."""
_DOWNLOADS = "/var/lib/waagent/run-command-handler/"
_TOOLS = Path(__file__).parent / "tools"
_BORROWED = """
    awk base64 basename bash cat chmod cp cut date dash dirname echo egrep env expr false find fold grep gzip head ln
    ls md5sum mkdir mktemp mv nl od paste printf pwd python3 readlink realpath rm rmdir sed seq sh sha256sum sort
    split stat sum tac tail tee test touch tr true uniq wc which xargs yes
"""
_LIMITS = 'ulimit -f 16384; ulimit -c 0; ulimit -n 256; exec "$@"'
_OWNED = re.compile(
    r"(?<![\w./$}-])/(etc|proc|sys|var|run|boot|home|root|mnt|opt|srv|tmp|usr/lib/os-release|usr/lib/modules|usr/local/share)(?![\w.-])"
)
_BINARY = re.compile(r"(?<![\w./$}-])/(?:usr/)?(?:local/)?s?bin/([\w.+-]+)")


class NoInterpreter(Exception):
    """Nothing here can run a script of this kind."""


@dataclass(frozen=True, slots=True)
class Result:
    """How a script ended. `exit_code` is None when it was killed at its time limit."""

    exit_code: int | None
    output: str
    error: str


@dataclass(slots=True)
class Run:
    """A running script. `poll` until it answers a Result; `kill` ends it early. Both clean up."""

    process: subprocess.Popen[bytes]
    directory: Path
    deadline: float
    root: str
    _result: Result | None = field(default=None)

    def poll(self) -> Result | None:
        """The result once the script has ended or its time is over, else None."""
        if self._result is not None:
            return self._result
        if self.process.poll() is None:
            if time.monotonic() < self.deadline:
                return None
            return self.kill()
        return self._collect(self.process.returncode)

    def kill(self) -> Result:
        """Kill the whole process group; answers what was printed so far."""
        return self._result or self._collect(None)

    def _collect(self, code: int | None) -> Result:
        _kill_group(self.process.pid)  # what the script left in the background goes with it
        self.process.wait()
        output, error = (self._tail(self.directory / name) for name in ("stdout", "stderr"))
        shutil.rmtree(self.directory, ignore_errors=True)
        if code is not None and code < 0:
            code = 128 - code
        self._result = Result(code, output, error)
        return self._result

    def _tail(self, file: Path) -> str:
        raw = file.read_bytes()[-4 * OUTPUT_LIMIT :]
        text = raw.decode(errors="replace").replace("\0", "").replace(self.root, "")
        text = text.replace(f"{self.directory}/bin/", "/usr/bin/").replace(f"{self.directory}/", _DOWNLOADS)
        return text.encode()[-OUTPUT_LIMIT:].decode(errors="ignore")


def start(
    model: guest.GuestModel,
    script: str,
    *,
    arguments: tuple[str, ...] = (),
    variables: dict[str, str] | None = None,
    seconds: float,
    speed: float = 1.0,
    windows: bool = False,
) -> Run:
    """Start `script` on the guest for at most `seconds` of real time.

    The script's own `sleep` is `speed` times shorter. Raises NoInterpreter.
    """
    powershell = shutil.which("pwsh") if windows else None
    if windows and powershell is None:
        raise NoInterpreter(
            "This machine runs Windows, and the simulator runs PowerShell scripts with 'pwsh', which is not installed "
            "here. Install PowerShell, or test with a Linux image."
        )
    directory = Path(tempfile.mkdtemp(prefix="arm-guest-"))
    try:
        return _launch(
            model,
            script,
            directory,
            arguments=arguments,
            variables=variables or {},
            seconds=seconds,
            speed=speed,
            powershell=powershell,
        )
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise


def _launch(
    model: guest.GuestModel,
    script: str,
    directory: Path,
    *,
    arguments: tuple[str, ...],
    variables: dict[str, str],
    seconds: float,
    speed: float,
    powershell: str | None,
) -> Run:
    root, state = directory / "root", directory / "state"
    guest.write(model, root, state, time.time())
    path = _path(directory)
    text = script if powershell else translate(script, root, path)
    file = directory / ("script.ps1" if powershell else "script.sh")
    file.write_text(text)
    named = [part for key, value in variables.items() for part in (f"-{key}", value)]
    command = [powershell, "-NoProfile", "-File", str(file), *named] if powershell else [_shell(script), str(file)]
    environment = _environment(model, root, state, path, speed)
    with (directory / "stdout").open("wb") as out, (directory / "stderr").open("wb") as err:
        process = subprocess.Popen(
            ["/bin/sh", "-c", _LIMITS, "limits", *command, *arguments],
            cwd=root / "root",
            env=variables | environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
    return Run(process, directory, time.monotonic() + seconds, str(root))


def _environment(model: guest.GuestModel, root: Path, state: Path, path: Path, speed: float) -> dict[str, str]:
    """All that a script's environment holds besides its parameters."""
    return {
        "PATH": str(path),
        "HOME": str(root / "root"),
        "TMPDIR": str(root / "tmp"),
        "LANG": "C.UTF-8",
        "USER": "root",
        "LOGNAME": "root",
        "SIM_STATE": str(state),
        "SIM_ROOT": str(root),
        "SIM_SPEED": str(speed),
        "COMPUTERNAME": model.host_name,
    }


def translate(script: str, root: Path, path: Path) -> str:
    """The script with the guest's absolute paths led below `root`, and binaries that the guest has to their names."""

    def binary(match: re.Match[str]) -> str:
        return str(path / match[1]) if (path / match[1]).exists() else match[0]

    first, newline, rest = script.partition("\n")
    if not first.startswith("#!"):
        first, newline, rest = "", "", script
    rest = _OWNED.sub(lambda match: f"{root}/{match[1]}", rest.replace("\r\n", "\n"))
    return first + newline + _BINARY.sub(binary, rest)


def _shell(script: str) -> str:
    """`bash` for a script that asks for it in its first line, else `/bin/sh`."""
    first = script.partition("\n")[0]
    return (shutil.which("bash") or "/bin/sh") if first.startswith("#!") and "bash" in first else "/bin/sh"


def _path(directory: Path) -> Path:
    """A directory with the guest's tools and links to the borrowed ones."""
    found = directory / "bin"
    found.mkdir()
    for tool in _TOOLS.iterdir():
        (found / tool.name).symlink_to(tool)
    for name in _BORROWED.split():
        real = shutil.which(name)
        if real and not (found / name).exists():
            (found / name).symlink_to(real)
    return found


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
