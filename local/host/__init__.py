"""A local Azure Functions host: it listens, Microsoft's worker library runs the functions.

The worker library (`azure-functions-runtime`) indexes an unchanged Python v2 app and converts bindings; this package
is the part that Azure writes in .NET: HTTP routes with keys, the Event Grid webhook, queue polling, timers and output
bindings. Of the app it knows only what the worker library reports, `host.json` and the app settings, so what runs here
runs under `func start` and in Azure.
"""

from local.host.functions_host import FunctionsHost
from local.host.host_clock import Clock
from local.host.host_errors import ConfigError, HostError, IndexingError

__all__ = ["Clock", "ConfigError", "FunctionsHost", "HostError", "IndexingError"]
