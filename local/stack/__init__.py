"""The local stack: Azurite, Event Grid, the ARM simulator, the Functions host and the scanner.

`make up` and `make down` control it from the shell. The demo and the tests use `Stack` with their own folders.
"""

from local.stack.options import SERVICES, StackError, StackOptions
from local.stack.stack import Stack

__all__ = ["SERVICES", "Stack", "StackError", "StackOptions"]
