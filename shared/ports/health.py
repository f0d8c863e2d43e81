"""What follows a published ring: machines and scale sets, a query on logs, and an address that must answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from shared.domain.health import FleetFacts, HttpFacts, QueryFacts
from shared.domain.image import VersionId, VersionNumber


@dataclass(frozen=True, slots=True)
class FleetQuestion:
    """Which machines count: those of ``version``, and of the number ``before`` in the same definition.

    ``regions`` limits what is found in a whole subscription; a scale set that is named counts wherever it is. An
    upgrade counts if it began after ``since``.
    """

    version: VersionId
    before: VersionNumber | None
    regions: tuple[str, ...]
    since: datetime
    scale_sets: tuple[str, ...] = ()
    """Resource ids, in lower case."""
    scale_set_subscriptions: tuple[str, ...] = ()
    machine_subscriptions: tuple[str, ...] = ()


class Health(Protocol):
    """Read the health of what runs an image version. Writes nothing.

    One call reads a bounded number of pages. What is beyond that, and what Azure refuses to show, is named in
    ``incomplete`` of the facts: it is unknown, not absent. Every method may raise Throttled and Unavailable.
    """

    async def fleet(self, question: FleetQuestion) -> FleetFacts:
        """Count the machines and scale-set instances of a version and of the one before.

        Source: Azure REST API, "Virtual Machines - List All", "Virtual Machine Scale Set VMs - List" (``instanceView``,
        ``vmHealth``), "Virtual Machine Scale Sets - Get OS Upgrade History", "Virtual Machine Scale Set Rolling
        Upgrades - Get Latest".
        """
        ...

    async def query(
        self, workspace: str, kql: str, *, column: str, samples: str | None, period: timedelta
    ) -> QueryFacts:
        """Run a query over the last ``period``, and read two columns of its first row.

        A partial result proves nothing.

        Source: Microsoft Learn, "Azure Monitor Log Analytics API: partial results".
        """
        ...

    async def check(self, url: str, *, contains: str | None) -> HttpFacts:
        """Ask an HTTPS address whether it answers 200, with a text in its body.

        The rules for addresses are those of scan reports by reference (``ReportSource``): only public IP addresses, no
        redirect to another host, bounded in time and size.
        """
        ...


class NoHealth:
    """A ``Health`` that knows nothing. Everything is unknown."""

    async def fleet(self, question: FleetQuestion) -> FleetFacts:
        return FleetFacts(incomplete=("this app does not read machines",))

    async def query(
        self, workspace: str, kql: str, *, column: str, samples: str | None, period: timedelta
    ) -> QueryFacts:
        return QueryFacts(incomplete="this app runs no queries")

    async def check(self, url: str, *, contains: str | None) -> HttpFacts:
        return HttpFacts(incomplete="this app asks no addresses")
