"""Errors that prevent the host from starting. Each message says what is wrong, where, and what to do."""


class HostError(Exception):
    """The host cannot start or continue."""


class ConfigError(HostError):
    """`host.json`, the settings or a binding are invalid. `faults` has all errors."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        super().__init__("; ".join(faults))


class IndexingError(HostError):
    """The worker library could not index the app. `details` is the app's traceback."""

    def __init__(self, message: str, details: str = "") -> None:
        self.details = details
        super().__init__(message)
