"""What a publish ships: what `.funcignore` leaves, which is what the functions need, and runs by itself."""

import ast
import functools
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from pathspec import GitIgnoreSpec

ROOT = Path(__file__).resolve().parents[2]
PATTERNS = [line for line in (ROOT / ".funcignore").read_text().splitlines() if line and not line.startswith("#")]
GIT = GitIgnoreSpec.from_lines(PATTERNS)

AT_THE_ROOT = {"function_app.py", "host.json", "promotion.yaml", "requirements.txt"}
FOLDERS = {
    "shared",
    "shared/adapters",
    "shared/adapters/azure",
    "shared/adapters/common",
    "shared/codec",
    "shared/domain",
    "shared/domain/boot_test",
    "shared/domain/validation",
    "shared/engine",
    "shared/gallery",
    "shared/policy_file",
    "shared/ports",
    "shared/probes",
    "shared/queries",
    "shared/scan_gate",
    "shared/scanners",
    "shared/settings",
    "shared/stages",
    "shared/timers",
    "shared/triggers",
    "shared/web",
    "shared/web/templates",
}
LEFT_LYING = (  # what is not in the repository, and may well be in a folder that somebody publishes from
    ".env",
    ".git/HEAD",
    ".idea/workspace.xml",
    ".local/logs/host.log",
    ".mypy_cache/3.13/a.json",
    ".venv/bin/python",
    ".venv-az/lib/python3.13/site-packages/a.py",
    ".vscode/settings.json",
    "__pycache__/function_app.cpython-313.pyc",
    "build/lib/shared/__init__.py",
    "dist/ringmaster-0.1.0.tar.gz",
    "local.settings.json",
    "node_modules/azurite/package.json",
    "ringmaster.egg-info/PKG-INFO",
    "shared/__pycache__/wiring.cpython-313.pyc",
    "shared/stages/__pycache__/scan.cpython-313.pyc",
)


def ignored_by_core_tools() -> Callable[[str], bool]:
    """Whether Core Tools leave a file behind, by their own reading of patterns (`GitIgnoreParser.cs` in 4.x)."""

    def matches(patterns: list[str]) -> re.Pattern[str]:
        texts = (re.escape(each.lstrip("/")).replace(r"\*\*", "(.+)").replace(r"\*", "([^/]+)") for each in patterns)
        return re.compile(rf"(?:{'|'.join(texts)})\b", re.ASCII)

    left = matches([each for each in PATTERNS if not each.startswith("!")])
    kept = matches([each[1:] for each in PATTERNS if each.startswith("!")])
    return lambda path: not kept.match(path) and left.match(path) is not None


def files(folder: str = "", *, pruned: bool) -> Iterator[str]:
    """Files below the root, without what is hidden there; `pruned` leaves out the folders that git would ignore."""
    for each in sorted(os.scandir(ROOT / folder), key=lambda each: each.name):
        path = f"{folder}{each.name}"
        if each.name in {"node_modules", "__pycache__"} or (each.name.startswith(".") and not folder):
            continue
        if not each.is_dir():
            yield path
        elif not (pruned and GIT.match_file(f"{path}/")):
            yield from files(f"{path}/", pruned=pruned)


@functools.cache
def shipped() -> tuple[str, ...]:
    return tuple(path for path in files(pruned=True) if not GIT.match_file(path))


def module(path: str) -> str:
    return ".".join(PurePosixPath(path).with_suffix("").parts).removesuffix(".__init__")


def imported(path: str) -> set[str]:
    """Every module that a file may import, at its top or later; for `from a import b`, both `a` and `a.b`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{each.name}" for each in node.names)}
    return found


def test_these_folders_and_files_are_shipped_and_no_others() -> None:
    assert {path for path in shipped() if "/" not in path} == AT_THE_ROOT
    assert {str(PurePosixPath(path).parent) for path in shipped()} - {"."} == FOLDERS
    templates = {path for path in shipped() if path.startswith("shared/web/templates/")}
    scripts = {"shared/probes/linux.sh", "shared/probes/windows.ps1"}
    others = AT_THE_ROOT - {"function_app.py"} | templates | scripts
    assert {path for path in shipped() if not path.endswith(".py")} == others


def test_the_modules_that_are_shipped_are_those_that_the_functions_reach() -> None:
    """One that is missing would fail in Azure; one that nobody imports does not belong there."""
    known = {module(path): path for path in files(pruned=False) if path.endswith(".py")}
    reached: set[str] = set()
    new = {"function_app"}
    while new:
        reached |= new
        names = {name for each in new for name in imported(known[each])}
        parents = {name.rsplit(".", depth)[0] for name in names for depth in range(name.count(".") + 1)}
        new = parents & known.keys() - reached
    assert {module(path) for path in shipped() if path.endswith(".py")} == reached


@pytest.mark.parametrize("path", LEFT_LYING)
def test_what_is_left_lying_about_is_not_shipped(path: str) -> None:
    assert GIT.match_file(path)


def test_dependencies_that_a_pipeline_installed_are_shipped() -> None:
    path = ".python_packages/lib/site-packages/yaml/__init__.py"
    assert not GIT.match_file(path)
    assert not ignored_by_core_tools()(path)


def test_core_tools_leave_behind_what_git_would() -> None:
    ignored = ignored_by_core_tools()
    every = [*files(pruned=False), *LEFT_LYING]
    assert [path for path in every if ignored(path)] == [path for path in every if GIT.match_file(path)]


# --- it runs by itself ------------------------------------------------------------------------------------------------

RUN = """
import importlib, json, sys

asked = json.loads(sys.argv[1])

class OnlyWhatIsDeclared:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in asked["refused"]:
            raise ModuleNotFoundError(f"{name} is not installed in Azure", name=name)

sys.meta_path.insert(0, OnlyWhatIsDeclared())
sys.path += [asked["app"], asked["packages"]]
import function_app
from shared.settings import read_settings
from shared.wiring import build_world
import os
build_world(read_settings(os.environ))
for name in asked["names"]:
    inside, _, last = name.rpartition(".")
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        if not hasattr(sys.modules.get(inside), last):
            raise
print(json.dumps({
    "functions": {each.get_function_name(): each.get_dict_repr() for each in function_app.app.get_functions()},
    "files": {name: getattr(found, "__file__", None) for name, found in sys.modules.items()},
}, default=str))
"""


def run(app: Path, names: list[str]) -> dict[str, Any]:
    """Load an app in a Python that sees nothing but it, the standard library and what `requirements.txt` names.

    `names` are modules, and what modules hold, that must be there as well.
    """
    locked = {line.partition("==")[0] for line in (ROOT / "requirements.txt").read_text().splitlines()}
    refused = [
        name
        for name, owners in importlib.metadata.packages_distributions().items()
        if name != "shared" and not locked & {re.sub(r"[-_.]+", "-", each).lower() for each in owners}
    ]
    asked = {
        "refused": refused,
        "app": str(app),
        "packages": sysconfig.get_path("purelib"),
        "names": names,
    }
    command = [sys.executable, "-I", "-S", "-c", RUN, json.dumps(asked)]
    environment = {"AzureWebJobsStorage": "UseDevelopmentStorage=true"}
    done = subprocess.run(command, cwd=app, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    app = tmp_path_factory.mktemp("published")
    for path in shipped():
        (app / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, app / path)
    return app


def test_what_is_shipped_has_the_same_functions_and_needs_nothing_else(published: Path) -> None:
    modules = [path for path in shipped() if path.endswith(".py")]
    there = run(published, sorted({*map(module, modules), *(name for path in modules for name in imported(path))}))
    assert there["functions"] == run(ROOT, [])["functions"]
    ours = {name: file for name, file in there["files"].items() if name.partition(".")[0] in {"shared", "function_app"}}
    assert {name: str(published / path) for path in shipped() if (name := module(path)) in ours} == ours
    elsewhere = {file for file in there["files"].values() if file and Path(file).is_relative_to(ROOT)}
    assert all("site-packages" in Path(file).parts for file in elsewhere)
    assert not {"typer", "rich", "shared.cli", "shared.adapters.memory", "local", "tests"} & there["files"].keys()
