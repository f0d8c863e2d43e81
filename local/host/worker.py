"""The worker: Microsoft's `azure-functions-runtime` in this process.

It is called as the real host calls it over gRPC: `worker_init_request`, `functions_metadata_request`, and for each
invocation `invocation_request_native` with `Datum` values. The library uses message classes only by attribute, so plain
objects work, without gRPC or protobuf. The library keeps its registry in module globals. Function ids are renamed after
indexing, so that several hosts can run in one process.
"""

import itertools
import logging
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from azure_functions_runtime import functions_metadata_request, worker_init_request
from azure_functions_runtime.bindings.datumdef import Datum
from azure_functions_runtime.functions import FunctionInfo, Registry
from azure_functions_runtime.handle_event import _functions as _registry
from azure_functions_runtime.native_invocation import invocation_request_native
from azure_functions_runtime.utils import threadpool

from local.host.host_errors import IndexingError

__all__ = ["Datum", "IndexedFunction", "Reply", "Worker", "script_name"]

# The library's registry of functions, by id. It has no method to remove an entry.
_known = cast(dict[str, FunctionInfo], cast(Registry, _registry)._functions)  # noqa: SLF001
_instances = itertools.count(1)
_users_of_threadpool: set[int] = set()


def script_name() -> str:
    """The file that holds the app's functions."""
    return os.environ.get("PYTHON_SCRIPT_FILE_NAME", "function_app.py")


class _Message:
    """Replaces any protobuf message that the library creates."""

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)


class _StatusResult(_Message):
    Failure, Success, Cancelled = 0, 1, 2


class _BindingInfo(_Message):
    out, inout = 1, 2
    undefined, string, binary, stream = 0, 1, 2, 3


setattr(_BindingInfo, "in", 0)  # the name in the proto is a keyword in Python

PROTOS = SimpleNamespace(
    StatusResult=_StatusResult,
    BindingInfo=_BindingInfo,
    WorkerInitResponse=_Message,
    WorkerMetadata=_Message,
    FunctionMetadataResponse=_Message,
    RpcFunctionMetadata=_Message,
    RpcRetryOptions=_Message,
    RpcException=_Message,
)


@dataclass(frozen=True)
class IndexedFunction:
    """A function as the worker reports it."""

    name: str
    function_id: str
    raw_bindings: tuple[str, ...]


@dataclass(frozen=True)
class Reply:
    """The result of an invocation. `error` is one line without a traceback; `traceback` is for the log."""

    ok: bool
    returned: Datum | None = None
    outputs: tuple[tuple[str, Datum], ...] = ()
    error: str = ""
    traceback: str = ""


def _is_not_invocation_failure(record: logging.LogRecord) -> bool:
    """Filters out the library's log entry about a failed invocation, which lacks the invocation.

    The host logs its own.
    """
    return record.msg != "Native invocation failed"


class Worker:
    """Indexes an app and runs its functions."""

    def __init__(self, app_dir: Path) -> None:
        self._app_dir = app_dir
        self._instance = next(_instances)
        self._ids: list[str] = []

    async def start(self) -> list[IndexedFunction]:
        """Import and index the app.

        Raises IndexingError with the app's traceback if that fails or there is no function.
        """
        sys.path.insert(0, str(self._app_dir))
        script = script_name()
        if not (self._app_dir / script).is_file():
            raise IndexingError(
                f"{self._app_dir / script} does not exist; a Python v2 app must define its functions there"
            )
        sys.modules.pop(
            Path(script).stem, None
        )  # remove the module of another app, from an earlier host in this process
        if not _users_of_threadpool:
            threadpool.start_threadpool_executor()
        _users_of_threadpool.add(self._instance)
        await self._initialise()
        logging.getLogger("azure.functions").addFilter(_is_not_invocation_failure)
        metadata = await functions_metadata_request(None)
        functions = [self._adopt(item) for item in metadata.function_metadata_results or []]
        if not functions:
            raise IndexingError(
                f"{self._app_dir / script} defines no function; it must be a Python v2 app with decorators"
            )
        return functions

    async def _initialise(self) -> None:
        init = SimpleNamespace(capabilities={}, function_app_directory=str(self._app_dir))
        request = SimpleNamespace(
            request=SimpleNamespace(worker_init_request=init), properties={"host": "127.0.0.1", "protos": PROTOS}
        )
        response = await worker_init_request(request)
        if response.result.status != PROTOS.StatusResult.Success:
            fault = response.result.exception
            raise IndexingError(f"the app cannot be indexed: {fault.message}", fault.stack_trace)
        if "HttpUri" in response.capabilities:
            raise IndexingError(
                "the app uses HTTP streaming (azurefunctions-extensions-http-fastapi), "
                "which the local host does not support"
            )

    def _adopt(self, item: Any) -> IndexedFunction:
        """Give the function a unique id: the library derives its id from the name alone."""
        info = _known.pop(item.function_id)
        function_id = f"{self._instance}:{item.function_id}"
        _known[function_id] = info
        self._ids.append(function_id)
        return IndexedFunction(item.name, function_id, tuple(item.raw_bindings))

    async def invoke(
        self,
        invocation_id: str,
        function_id: str,
        inputs: list[tuple[str, Datum]],
        metadata: dict[str, Datum],
        traceparent: str = "",
    ) -> Reply:
        """Run a function to its end. Errors of the function are not raised."""
        ok, returned, outputs, error, traceback = await invocation_request_native(
            invocation_id, function_id, inputs, metadata, trace_parent=traceparent
        )
        return Reply(ok, returned, tuple(outputs), error or "", traceback or "")

    def stop(self) -> None:
        """Unload the app. A synchronous function that is still running keeps its thread until it ends."""
        for function_id in self._ids:
            _known.pop(function_id, None)
        self._ids.clear()
        if str(self._app_dir) in sys.path:
            sys.path.remove(str(self._app_dir))
        _users_of_threadpool.discard(self._instance)
        pool = threadpool.get_threadpool_executor()
        if not _users_of_threadpool and pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)
