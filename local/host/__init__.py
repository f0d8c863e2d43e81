"""A local Azure Functions host. It receives triggers, and Microsoft's worker library runs the functions.

The worker library (`azure-functions-runtime`) indexes an unchanged Python v2 app and converts bindings. This package
replaces the part of the host that is written in .NET: HTTP routes with keys, the Event Grid webhook, queue polling,
timers and output bindings. It uses only what the worker library reports about the app, `host.json` and the app
settings, so an app that runs here also runs under `func start` and in Azure.
"""

from local.host.functions_host import FunctionsHost
from local.host.host_clock import Clock
from local.host.host_errors import ConfigError, HostError, IndexingError

__all__ = ["Clock", "ConfigError", "FunctionsHost", "HostError", "IndexingError"]
