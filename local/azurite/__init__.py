"""Azurite, Microsoft's storage emulator, run on the Node that comes as a Python wheel.

`python -m local.azurite install` installs it once into `.local/npm`; `Azurite` runs it.
"""

from local.azurite.install import InstallError, ensure_installed
from local.azurite.runner import ACCOUNT, ACCOUNT_KEY, Azurite, AzuriteError, connection_string

__all__ = ["ACCOUNT", "ACCOUNT_KEY", "Azurite", "AzuriteError", "InstallError", "connection_string", "ensure_installed"]
