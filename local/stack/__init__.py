"""The local stack as a whole: Azurite, Event Grid, the ARM simulator, the Functions host and the scanner.

`make up` and `make down` drive it from the shell; the demo and the tests use `Stack` on folders of their own.
"""

from local.stack.options import SERVICES, StackError, StackOptions
from local.stack.stack import Stack

__all__ = ["SERVICES", "Stack", "StackError", "StackOptions"]
