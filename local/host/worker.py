"""The worker: Microsoft's `azure-functions-runtime`, in this process.

Calls as the real host makes them over gRPC: `worker_init_request`, `functions_metadata_request`, then for each
invocation `invocation_request_native` with `Datum` values. The library asks for message classes only by attribute, so
plain objects serve; neither gRPC nor protobuf is needed. The library keeps its registry and metadata in module
globals: ids are renamed after indexing, so that several hosts can live in one process.
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

from local.host.errors import IndexingError

__all__ = ["Datum", "IndexedFunction", "Reply", "Worker", "script_name"]

# The library's only registry of functions, by id; it offers no way to remove an entry.
_known = cast(dict[str, FunctionInfo], cast(Registry, _registry)._functions)  # noqa: SLF001
_instances = itertools.count(1)
_users_of_threadpool: set[int] = set()


def script_name() -> str:
    """The file that holds the app's functions."""
    return os.environ.get("PYTHON_SCRIPT_FILE_NAME", "function_app.py")


class _Message:
    """Stands for any protobuf message that the library builds: keeps what it is given."""

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)


class _StatusResult(_Message):
    Failure, Success, Cancelled = 0, 1, 2


class _BindingInfo(_Message):
    out, inout = 1, 2
    undefined, string, binary, stream = 0, 1, 2, 3


setattr(_BindingInfo, "in", 0)  # the proto's own name, a keyword in Python

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
    """How one invocation ended. `error` is one line without a stack; `traceback` is for the log only."""

    ok: bool
    returned: Datum | None = None
    outputs: tuple[tuple[str, Datum], ...] = ()
    error: str = ""
    traceback: str = ""


def _said_by_the_host(record: logging.LogRecord) -> bool:
    """False for the library's line about a failed invocation: it no longer knows which; the host's line does."""
    return record.msg != "Native invocation failed"


class Worker:
    """Indexes one app and runs its functions."""

    def __init__(self, app_dir: Path) -> None:
        self._app_dir = app_dir
        self._instance = next(_instances)
        self._ids: list[str] = []

    async def start(self) -> list[IndexedFunction]:
        """Import and index the app; raises IndexingError with the app's traceback when that fails or when there is no
        function.
        """
        sys.path.insert(0, str(self._app_dir))
        script = script_name()
        if not (self._app_dir / script).is_file():
            raise IndexingError(f"{self._app_dir / script} does not exist: a Python v2 app has its functions there")
        sys.modules.pop(
            Path(script).stem, None
        )  # another app's module of that name, from an earlier host in this process
        if not _users_of_threadpool:
            threadpool.start_threadpool_executor()
        _users_of_threadpool.add(self._instance)
        await self._initialise()
        logging.getLogger("azure.functions").addFilter(_said_by_the_host)
        metadata = await functions_metadata_request(None)
        functions = [self._adopt(item) for item in metadata.function_metadata_results or []]
        if not functions:
            raise IndexingError(f"{self._app_dir / script} holds no function: is it a Python v2 app with decorators?")
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
                "the app uses HTTP streaming (azurefunctions-extensions-http-fastapi), which is not served here"
            )

    def _adopt(self, item: Any) -> IndexedFunction:
        """Give the function an id of this host's own: the library derives its id from the name alone."""
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
        """Run one function to its end. Never raises for a fault of the function."""
        ok, returned, outputs, error, traceback = await invocation_request_native(
            invocation_id, function_id, inputs, metadata, trace_parent=traceparent
        )
        return Reply(ok, returned, tuple(outputs), error or "", traceback or "")

    def stop(self) -> None:
        """Forget the app. A synchronous function that still runs keeps its thread until it ends: threads cannot be
        killed.
        """
        for function_id in self._ids:
            _known.pop(function_id, None)
        self._ids.clear()
        if str(self._app_dir) in sys.path:
            sys.path.remove(str(self._app_dir))
        _users_of_threadpool.discard(self._instance)
        pool = threadpool.get_threadpool_executor()
        if not _users_of_threadpool and pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)
