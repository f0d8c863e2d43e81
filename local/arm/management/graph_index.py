"""What Azure Resource Graph knows: the resources as they were some time ago.

Microsoft gives no bound ("Azure Resource Graph overview": updates are usually seen within seconds); clients have seen
30 seconds (Azure/azure-dev#540) to many hours (ansible-collections/azure#1994). Here each change is seen after a time
that the seed draws for it. The index is kept in memory alone: after a restart everything is known.
"""

import copy
from collections.abc import Iterator

from local.arm.kernel.kernel import Kernel
from local.arm.kernel.store import Resource

type _Change = tuple[float, Resource | None]


class GraphIndex:
    """The changes of every resource since the index began, each with the time from which it is known."""

    def __init__(self, kernel: Kernel, longest: float) -> None:
        """Follow the store from now on; a change is known after at most `longest` seconds of Azure's time."""
        self._kernel, self._longest = kernel, longest
        self._changes: dict[str, list[_Change]] = {one.id.lower(): [(0.0, _copied(one))] for one in kernel.store}
        self._drawn = 0
        kernel.store.on_change = self._note
        kernel.graph_view = self.resources

    def resources(self, now: float) -> Iterator[Resource]:
        """The resources as they are known at a time."""
        for key, changes in self._changes.items():
            known = [change for change in changes if change[0] <= now]
            if known:
                self._changes[key] = [known[-1], *(change for change in changes if change[0] > now)]
                if known[-1][1] is not None:
                    yield known[-1][1]

    def _note(self, key: str, resource: Resource | None) -> None:
        self._drawn += 1
        wait = self._kernel.random("graph", key, self._drawn).uniform(0, self._longest)
        changes = self._changes.setdefault(key, [])
        # A later change is never known before an earlier one.
        known_from = max([self._kernel.clock.now() + self._kernel.clock.scaled(wait), *(at for at, _ in changes)])
        changes.append((known_from, None if resource is None else _copied(resource)))


def _copied(resource: Resource) -> Resource:
    return Resource(copy.deepcopy(resource.document), {})
