"""Health of what follows a ring: Compute's lists, a query on logs, and an HTTPS address.

A look reads a bounded number of pages and scale sets. What is beyond, or refused, is ``incomplete``, so that nobody
takes it for healthy.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from shared.adapters.azure.arm_errors import translate_arm_errors
from shared.adapters.azure.arm_fields import document, part, text
from shared.adapters.azure.fleet_facts import read_machine, read_upgrade
from shared.adapters.azure.report_source import AddressCheck, HttpsReportSource
from shared.adapters.common.fleet import MOST_PAGES, MOST_SCALE_SETS, FleetMachine, FleetUpgrade, counted
from shared.domain.addresses import why_not_public
from shared.domain.health import FleetFacts, HttpFacts, QueryFacts
from shared.domain.image import region_name
from shared.domain.report_reference import InvalidReference, host_of, shown
from shared.ports import FleetQuestion, Refused, ReportRefused, Throttled, Unavailable

if TYPE_CHECKING:
    import ssl

    from shared.adapters.azure.arm import Arm
    from shared.adapters.azure.log_query import LogQueries

CHECK_SECONDS: Final = 15.0
CHECK_BYTES: Final = 256 * 1024
_UNKNOWN: Final = {"host", "address", "redirect", "too-large", "encoding"}
"""Codes of refusals that say nothing of the service that was asked."""


class AzureHealth:
    """``Health`` on Azure."""

    def __init__(
        self,
        arm: Arm,
        logs: LogQueries,
        *,
        address_check: AddressCheck = why_not_public,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """``address_check`` and ``tls`` are for tests with local servers."""
        self._arm, self._logs = arm, logs
        self._address_check, self._tls = address_check, tls

    async def fleet(self, question: FleetQuestion) -> FleetFacts:
        look = _Look(self._arm)
        machines: list[FleetMachine] = []
        for subscription in question.machine_subscriptions:
            listed = look.pages(self._arm.compute(subscription).virtual_machines.list_all(), f"VMs of {subscription}")
            machines += [read_machine(each) async for each in listed]
        upgrades: list[FleetUpgrade] = []
        for scale_set in await self._scale_sets(question, look):
            machines += await self._instances(scale_set, look)
            upgrades += await self._upgrades(scale_set, look)
        return counted(question, machines, upgrades, look.incomplete)

    async def query(
        self, workspace: str, kql: str, *, column: str, samples: str | None, period: timedelta
    ) -> QueryFacts:
        return await self._logs.run(workspace, kql, column=column, samples=samples, period=period)

    async def check(self, url: str, *, contains: str | None) -> HttpFacts:
        try:
            body = await self._body(url)
        except InvalidReference as error:
            return HttpFacts(incomplete=f"{shown(url)}: {error}")
        except ReportRefused as refused:
            if refused.code == "address":
                return HttpFacts(incomplete=f"{shown(url)}: its host has an address that is not allowed")
            return HttpFacts(incomplete=refused.text) if refused.code in _UNKNOWN else HttpFacts(refused.text)
        except Throttled as fault:
            return HttpFacts(incomplete=str(fault))
        except Unavailable as fault:
            return HttpFacts(failure=str(fault))
        if contains is not None and contains not in body:
            return HttpFacts(failure=f"{shown(url)} answered 200 without the expected text")
        return HttpFacts()

    async def _body(self, url: str) -> str:
        source = HttpsReportSource(
            {host_of(url)},
            most_bytes=CHECK_BYTES,
            seconds=CHECK_SECONDS,
            address_check=self._address_check,
            tls=self._tls,
        )
        async with source.open(url) as pieces:
            return b"".join([piece async for piece in pieces]).decode(errors="replace")

    async def _scale_sets(self, question: FleetQuestion, look: _Look) -> list[dict[str, Any]]:
        """The scale sets that are named, and those in the ring's regions whose model names the definition."""
        found: dict[str, dict[str, Any]] = {}
        for name in question.scale_sets[:MOST_SCALE_SETS]:
            subscription, group, scale_set = _names(name)
            call = self._arm.compute(subscription).virtual_machine_scale_sets.get(group, scale_set)
            one = await look.one(call, f"scale set {scale_set}")
            if one is not None:
                found[name] = one
        definition = f"{question.version.definition}/".lower()
        for subscription in question.scale_set_subscriptions:
            what = f"scale sets of {subscription}"
            async for one in look.pages(self._arm.compute(subscription).virtual_machine_scale_sets.list_all(), what):
                profile = part(part(part(one, "properties"), "virtualMachineProfile"), "storageProfile")
                image = text(part(profile, "imageReference").get("id")).lower()
                if f"{image}/".startswith(definition) and region_name(text(one.get("location"))) in question.regions:
                    found.setdefault(text(one.get("id")).lower(), one)
        if max(len(found), len(question.scale_sets)) > MOST_SCALE_SETS:
            look.incomplete.append(f"only {MOST_SCALE_SETS} scale sets are read")
        return list(found.values())[:MOST_SCALE_SETS]

    async def _instances(self, scale_set: dict[str, Any], look: _Look) -> list[FleetMachine]:
        """The instances with their health.

        Instances of a scale set with flexible orchestration are virtual machines: only their own list has a view
        ("Virtual Machines - List All" in Azure's REST API reference: ``$expand`` needs this ``$filter``).
        """
        resource_id = text(scale_set.get("id"))
        subscription, group, name = _names(resource_id)
        compute = self._arm.compute(subscription)
        if text(part(scale_set, "properties").get("orchestrationMode")).lower() == "flexible":
            where = f"'virtualMachineScaleSet/id' eq '{resource_id}'"
            listed = compute.virtual_machines.list_all(filter=where, expand="instanceView")
        else:
            listed = compute.virtual_machine_scale_set_vms.list(group, name, expand="instanceView")
        found = look.pages(listed, f"instances of {name}")
        return [read_machine(each, in_scale_set=True) async for each in found]

    async def _upgrades(self, scale_set: dict[str, Any], look: _Look) -> list[FleetUpgrade]:
        """What became of upgrades. Only automatic OS upgrades have a history that tells their image."""
        subscription, group, name = _names(text(scale_set.get("id")))
        compute = self._arm.compute(subscription)
        policy = part(part(scale_set, "properties"), "upgradePolicy")
        if part(policy, "automaticOSUpgradePolicy").get("enableAutomaticOSUpgrade") is True:
            listed = compute.virtual_machine_scale_sets.get_os_upgrade_history(group, name)
            return [read_upgrade(name, each) async for each in look.pages(listed, f"OS upgrades of {name}")]
        if text(policy.get("mode")).lower() != "rolling":
            return []
        call = compute.virtual_machine_scale_set_rolling_upgrades.get_latest(group, name)
        latest = await look.one(call, f"rolling upgrade of {name}", may_be_missing=True)
        return [] if latest is None else [read_upgrade(name, latest)]


class _Look:
    """The reads of one look, and what they could not read."""

    def __init__(self, arm: Arm) -> None:
        self._arm = arm
        self.incomplete: list[str] = []

    async def one(self, call: Awaitable[Any], what: str, *, may_be_missing: bool = False) -> dict[str, Any] | None:
        try:
            with translate_arm_errors(what):
                return document(await call, what)
        except Refused as refused:
            if not (may_be_missing and refused.status == 404):
                self.incomplete.append(f"{what}: {refused}")
            return None

    async def pages(self, paged: Any, what: str) -> AsyncIterator[dict[str, Any]]:
        """The items of a list, of a bounded number of pages."""
        pages, seen = paged.by_page(), set[str]()
        for _ in range(MOST_PAGES):
            try:
                with translate_arm_errors(what):
                    page = await anext(pages, None)
                    items = [] if page is None else [document(each, what) async for each in page]
            except Refused as refused:
                self.incomplete.append(f"{what}: {refused}")
                return
            except (AttributeError, TypeError) as error:
                # The SDK assumes that a page is an object with a list (azure-mgmt-compute 39).
                raise Unavailable(f"{what}: ARM returned an invalid list") from error
            for item in items:
                yield item
            if page is None or not pages.continuation_token:
                return
            self._arm.check_next(str(pages.continuation_token), seen, what)
        self.incomplete.append(f"{what}: only the first {MOST_PAGES} pages are read")


def _names(resource_id: str) -> tuple[str, str, str]:
    """Subscription, resource group and name of a scale set's resource id."""
    parts = resource_id.split("/")
    return parts[2], parts[4], parts[-1]
