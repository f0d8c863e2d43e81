"""Misfortunes that a rehearsal can order: a port that crashes the function, or fails, around a chosen call."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


class Crash(BaseException):
    """The function's process ends here. Nothing in the product may catch it."""


@dataclass
class Misfortune:
    """What befalls the ``nth`` call of a method: raised before the call takes effect, or after it has."""

    method: str
    what: Callable[[], BaseException]
    nth: int = 1
    after: bool = False
    seen: int = 0

    def strikes(self, method: str, *, after: bool) -> bool:
        """Whether this is the call. Counts it when it is asked before."""
        if method != self.method:
            return False
        if not after:
            self.seen += 1
        return self.seen == self.nth and after == self.after


@dataclass
class Unlucky:
    """A port that does what the real one does, and meets the misfortunes on its list."""

    port: Any
    misfortunes: list[Misfortune] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        member = getattr(self.port, name)
        if not callable(member) or not self.misfortunes:
            return member

        async def called(*args: Any, **kwargs: Any) -> Any:
            self._meet(name, after=False)
            result = await member(*args, **kwargs)
            self._meet(name, after=True)
            return result

        return called if any(each.method == name for each in self.misfortunes) else member

    def _meet(self, method: str, *, after: bool) -> None:
        for misfortune in self.misfortunes:
            if misfortune.strikes(method, after=after):
                raise misfortune.what()
