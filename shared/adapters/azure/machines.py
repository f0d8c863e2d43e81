"""Boot-test machines through ``azure-mgmt-compute``.

Creation, run commands and deletion are started without waiting for their results, which are read later. On images whose
agent does not support managed run commands, a probe may fail or never start. The stages treat that as "did not run",
never as a pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from shared.adapters.azure.arm_errors import translate_arm_errors
from shared.adapters.azure.arm_fields import document, tags, text
from shared.adapters.azure.machine_bodies import machine_body, probe_body
from shared.adapters.azure.machine_facts import read_machine, read_probe
from shared.adapters.azure.serial_log import read_serial_log
from shared.adapters.azure.size_list import SizeList
from shared.adapters.common.own_machines import (
    RELEASE_TAG,
    check_machine_name,
    check_new_machine,
    check_part,
    check_tags,
    own_tags,
    owned,
)
from shared.domain.boot_test.failures import MachineFacts, ProbeFacts
from shared.domain.boot_test.machine_sizes import Sizes
from shared.domain.policy import TestEnvironment
from shared.ports import NO_TAGS, Conflict, ForeignTarget, MachineSpec, OwnMachine, Refused, Unavailable

if TYPE_CHECKING:
    import ssl

    from shared.adapters.azure.arm import Arm

_API: Final = {
    "microsoft.compute/virtualmachines": "2024-07-01",
    "microsoft.compute/disks": "2024-03-02",
    "microsoft.network/networkinterfaces": "2023-09-01",
}
_ADDRESS_MINUTES: Final = 5


class AzureMachines:
    """``Machines`` on Azure, limited to the policy's test resource group."""

    def __init__(self, arm: Arm, test: TestEnvironment, *, serial_tls: ssl.SSLContext | None = None) -> None:
        """``serial_tls`` is the TLS context for the storage of the serial log. The default is the system's context."""
        self._arm = arm
        self._test = test
        self._serial_tls = serial_tls
        self._sizes = SizeList(arm, test.subscription)

    async def sizes(self, region: str) -> Sizes:
        return await self._sizes.of(region)

    async def create(self, spec: MachineSpec) -> None:
        from azure.core import MatchConditions

        check_new_machine(spec.name)
        body: Any = machine_body(spec, self._test.subnet_in(spec.region))
        try:
            with translate_arm_errors(f"create {spec.name}"):
                # If-None-Match: * — a second PUT would have another password or key, with an undefined result.
                await self._machines.begin_create_or_update(
                    self._group, spec.name, body, etag="*", match_condition=MatchConditions.IfMissing, polling=False
                )
        except (Conflict, Refused) as fault:
            if not await self._is_there(spec):
                raise fault from fault.__cause__

    async def view(self, name: str) -> MachineFacts | None:
        found = await self._get(name, expand="instanceView")
        return None if found is None else read_machine(found, name)

    async def start_probe(
        self,
        name: str,
        probe: str,
        *,
        region: str,
        script: str,
        os_type: str,
        within: timedelta,
        tags: Mapping[str, str] = NO_TAGS,
    ) -> None:
        check_machine_name(name)
        commands = self._compute.virtual_machine_run_commands
        body: Any = probe_body(region, script, within, tags)
        with translate_arm_errors(f"start {probe} on {name} ({os_type})"):
            await commands.begin_create_or_update(self._group, name, probe, body, polling=False)

    async def probe(self, name: str, probe: str) -> ProbeFacts | None:
        commands = self._compute.virtual_machine_run_commands
        call = commands.get_by_virtual_machine(self._group, name, probe, expand="instanceView")
        found = await _found(call, f"read {probe} of {name}")
        return None if found is None else read_probe(found)

    async def restart(self, name: str) -> None:
        check_machine_name(name)
        with translate_arm_errors(f"restart {name}"):
            await self._machines.begin_restart(self._group, name, polling=False)

    async def serial_log(self, name: str) -> bytes | None:
        call = self._machines.retrieve_boot_diagnostics_data(
            self._group, name, sas_uri_expiration_time_in_minutes=_ADDRESS_MINUTES
        )
        found = await _found(call, f"find the serial log of {name}")
        address = (found or {}).get("serialConsoleLogBlobUri")
        return await read_serial_log(str(address), tls=self._serial_tls) if address else None

    async def delete(self, name: str) -> None:
        check_machine_name(name)
        found = await self._get(name)
        if found is None:
            return
        check_tags(name, tags(found))
        try:
            with translate_arm_errors(f"delete {name}"):
                await self._machines.begin_delete(self._group, name, force_deletion=True, polling=False)
        except Refused as refused:
            if refused.status != 404:
                raise

    async def remaining(self, parts: Sequence[str]) -> Sequence[str]:
        return [part for part in parts if await self._part(part) is not None]

    async def delete_part(self, resource_id: str) -> None:
        kind = check_part(resource_id, self._test.subscription, self._test.resource_group)
        found = await self._part(resource_id)
        if found is None:
            return
        check_tags(resource_id, tags(found))
        await self._arm.delete(resource_id, _API[kind], f"delete {resource_id.rsplit('/', 1)[-1]}")

    async def ours(self) -> Sequence[OwnMachine]:
        found: list[OwnMachine] = []
        group = f"/subscriptions/{self._test.subscription}/resourceGroups/{self._group}"
        for kind, version in _API.items():
            what = f"list {kind} in {self._group}"
            async for item in self._arm.pages(f"{group}/providers/{kind}", version, what):
                part, name = text(item.get("id")).lower(), text(item.get("name"))
                if (own := owned(part, name, tags(item))) is not None:
                    found.append(own)
        return found

    @property
    def _group(self) -> str:
        return self._test.resource_group

    @property
    def _compute(self) -> Any:
        return self._arm.compute(self._test.subscription)

    @property
    def _machines(self) -> Any:
        return self._compute.virtual_machines

    async def _get(self, name: str, **options: str) -> Mapping[str, Any] | None:
        return await _found(self._machines.get(self._group, name, **options), f"read {name}")

    async def _is_there(self, spec: MachineSpec) -> bool:
        """Whether an earlier request created the machine. Raises ForeignTarget when it belongs to something else."""
        found = await self._get(spec.name)
        if found is None:
            return False
        if (tags(found)).get(RELEASE_TAG) != own_tags(spec)[RELEASE_TAG]:
            raise ForeignTarget(f"the machine {spec.name} exists and does not belong to {spec.release}")
        return True

    async def _part(self, resource_id: str) -> Mapping[str, Any] | None:
        kind = "/".join(resource_id.lower().split("/")[-3:-1])
        if kind not in _API:
            raise ForeignTarget(f"{resource_id} is not a machine, disk or network interface")
        return await self._arm.get(resource_id, _API[kind], f"read {resource_id.rsplit('/', 1)[-1]}")


async def _found(call: Any, what: str) -> Mapping[str, Any] | None:
    try:
        with translate_arm_errors(what):
            answer = await call
    except Refused as refused:
        if refused.status == 404:
            return None
        raise
    if answer is None:
        raise Unavailable(f"{what}: ARM returned an empty response")
    return document(answer, what)
