"""One stack for the session, and proof that nothing of it is left."""

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from local.stack import Stack
from tests.e2e.app import App
from tests.e2e.leftovers import alive, secrets_in, secrets_of, taken
from tests.e2e.scene import MAX_REPORT, options

type Running = Callable[..., AbstractContextManager[App]]


@pytest.fixture(scope="session")
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Running:
    """Starts a stack of its own: in a folder that is gone afterwards, as are its processes, ports and secrets."""

    @contextlib.contextmanager
    def started(**chosen: Any) -> Iterator[App]:
        directory = Path(tempfile.mkdtemp(prefix="ringmaster-e2e-"))
        failed = request.session.testsfailed
        try:
            with Stack(directory, options(directory, **chosen)) as stack:
                app = App(stack)
                secrets, before = secrets_of(stack), dict(stack.running)
                yield app
                app.close()
                ports, after = dict(stack.plan.record.ports), dict(stack.running)
            assert alive({*before.values(), *after.values()}) == []
            assert taken(ports) == []
            assert secrets_in(directory / "logs", secrets) == []
        finally:
            if request.session.testsfailed > failed:
                shutil.copytree(directory / "logs", tmp_path_factory.mktemp("logs"), dirs_exist_ok=True)
            shutil.rmtree(directory)

    return started


@pytest.fixture(scope="session")
def app(running: Running) -> Iterator[App]:
    """The app that most tests share: each uses versions of its own."""
    with running(settings={"RINGMASTER_MAX_REPORT_BYTES": str(MAX_REPORT)}) as shared:
        yield shared
