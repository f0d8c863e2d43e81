"""What can keep the host from starting. Each says what is wrong, where, and what to do."""


class HostError(Exception):
    """The host cannot start or go on."""


class ConfigError(HostError):
    """`host.json`, the settings or a binding hold something the host cannot use; `faults` lists every one found."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        super().__init__("; ".join(faults))


class IndexingError(HostError):
    """The worker library could not read the app; `details` is the app's own traceback."""

    def __init__(self, message: str, details: str = "") -> None:
        self.details = details
        super().__init__(message)
