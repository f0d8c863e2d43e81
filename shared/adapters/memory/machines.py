"""Boot-test machines in memory. Their state is computed from the image's behavior profile and the clock.

A machine can be created only where its image has a complete replica. It has an OS disk, the image's data disks and a
network interface, which are deleted with it. Tests can add other resources, to verify that they are not deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from shared.adapters.common.own_machines import (
    check_machine_name,
    check_new_machine,
    check_part,
    check_tags,
    own_tags,
    owned,
)
from shared.adapters.memory.characters import CLEAN, Character
from shared.adapters.memory.probe_runner import RunningGuest, RunResult, run_script
from shared.adapters.memory.size_list import SIZES
from shared.domain.boot_test.failures import MachineFacts, ProbeFacts
from shared.domain.boot_test.machine_sizes import Sizes, controller, obstacles
from shared.domain.facts import DefinitionFacts
from shared.domain.image import VersionId
from shared.domain.image_traits import definition_traits
from shared.domain.policy import TestEnvironment
from shared.ports import NO_TAGS, Conflict, ForeignTarget, MachineSpec, OwnMachine, Refused


class Replicas(Protocol):
    """What machines need to know about images."""

    def replica_ready(self, version: VersionId, region: str) -> bool:
        """Whether the version has a complete replica in the region."""
        ...

    def definition_of(self, version: VersionId) -> DefinitionFacts | None:
        """The image definition of the version."""
        ...


type Casting = Callable[[MachineSpec, int], Character]
"""(machine, number of machines created from this image in this region, including this one) -> behavior profile."""


@dataclass(slots=True)
class _Probe:
    script: str
    began: datetime
    within: timedelta
    ran: RunResult | None = None


@dataclass(slots=True)
class _Machine:
    spec: MachineSpec
    character: Character
    asked: datetime
    parts: tuple[str, ...]
    deleted: datetime | None = None
    probes: dict[str, _Probe] = field(default_factory=dict)
    restarted: list[datetime] = field(default_factory=list)
    """When a restart was requested."""

    def agent_ready(self, now: datetime) -> bool:
        """Whether the agent takes work. Its last report says Ready until the platform has restarted the machine."""
        if self.restarted:
            since, after = now - self.restarted[-1], self.character.back_after
        else:
            since, after = now - self.asked, self.character.agent_after
        return after is not None and since >= after

    def is_restarting(self, now: datetime) -> bool:
        return bool(self.restarted) and now - self.restarted[-1] < self.character.restart_takes

    def guest(self) -> RunningGuest:
        spec, boots = self.spec, (self.asked, *(self.restarted if self.character.restarts else ()))
        return RunningGuest(spec.name, str(spec.image), spec.os_type, self.character, boots[-1], len(boots))


class MemoryMachines:
    """``Machines`` in memory."""

    def __init__(
        self,
        clock: Callable[[], datetime],
        test: TestEnvironment,
        replicas: Replicas,
        *,
        casting: Casting = lambda *_: CLEAN,
        on_call: Callable[[str], None] = lambda _: None,
    ) -> None:
        """``on_call`` is called with the name of every port method before it runs, and may raise a port error."""
        self._clock = clock
        self._test = test
        self._replicas = replicas
        self._casting = casting
        self._sizes = SIZES
        self._on_call = on_call
        self._machines: dict[str, _Machine] = {}
        self._deletion_ends: dict[str, datetime] = {}
        self._owners: dict[str, _Machine] = {}
        self._orphans: dict[str, dict[str, str]] = {}
        self._asked: dict[tuple[VersionId, str], int] = {}

    def plant(self, resource_id: str, tags: dict[str, str]) -> None:
        """Add a disk or network interface that does not belong to a machine."""
        self._orphans[resource_id.lower()] = tags

    def offer(self, sizes: Sizes) -> None:
        """Offer these sizes in every region from now on."""
        self._sizes = sizes

    def vanish(self, name: str) -> None:
        """Delete a machine and its parts without a request, as someone else could.

        Does nothing when it does not exist.
        """
        machine = self._machines.pop(name, None)
        for part in machine.parts if machine else ():
            del self._owners[part]

    def everything(self) -> Sequence[str]:
        """The ids of all resources in the test resource group."""
        self._remove_deleted()
        return [*self._owners, *self._orphans]

    # --- the port -----------------------------------------------------------------------------------------------------

    async def sizes(self, region: str) -> Sizes:
        self._on_call("sizes")
        return self._sizes

    async def create(self, spec: MachineSpec) -> None:
        check_new_machine(spec.name)
        self._on_call("create")
        self._remove_deleted()
        present = self._machines.get(spec.name)
        if present is not None:
            if present.spec.release != spec.release:
                raise ForeignTarget(f"the machine {spec.name} exists and does not belong to {spec.release}")
            if present.deleted is not None:
                raise Conflict(f"{spec.name} is being deleted")
            return
        self._check_size(spec)
        self._check_image(spec)
        place = (spec.image, spec.region)
        self._asked[place] = self._asked.get(place, 0) + 1
        character = self._casting(spec, self._asked[place])
        if character.refused is not None:
            raise Refused(*character.refused)
        machine = _Machine(spec, character, self._clock(), self._parts_of(spec))
        self._machines[spec.name] = machine
        self._owners.update(dict.fromkeys(machine.parts, machine))

    async def view(self, name: str) -> MachineFacts | None:
        self._on_call("view")
        machine = self._find(name)
        return None if machine is None else self._seen(machine, self._clock())

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
        self._on_call("start_probe")
        machine, now = self._find(name), self._clock()
        if machine is None:
            raise Refused("ParentResourceNotFound", f"the machine {name} does not exist", 404)
        present = machine.probes.get(probe)
        if present is not None and self._outcome(machine, present, now).execution_state == "Running":
            raise Conflict(f"{probe} is running on {name}: another operation is in progress")
        machine.probes[probe] = _Probe(script, now, within)

    async def probe(self, name: str, probe: str) -> ProbeFacts | None:
        self._on_call("probe")
        machine = self._find(name)
        found = machine.probes.get(probe) if machine else None
        return self._outcome(machine, found, self._clock()) if machine and found else None

    async def restart(self, name: str) -> None:
        check_machine_name(name)
        self._on_call("restart")
        machine, now = self._find(name), self._clock()
        if machine is None:
            raise Refused("ResourceNotFound", f"the machine {name} does not exist", 404)
        if machine.deleted is not None:
            raise Conflict(f"another operation on {name} is in progress")
        machine.restarted.append(now)

    async def serial_log(self, name: str) -> bytes | None:
        self._on_call("serial_log")
        machine = self._find(name)
        if machine is None or machine.character.console_after is None:
            return None
        now, character = self._clock(), machine.character
        if now - machine.asked < machine.character.console_after:
            return None
        boots = [(machine.asked, character.console)]
        boots += [(at, character.console_again or character.console) for at in machine.restarted]
        lines = (line for began, console in boots for after, line in console if after <= now - began)
        return "".join(f"{line}\r\n" for line in lines).encode()

    async def delete(self, name: str) -> None:
        check_machine_name(name)
        self._on_call("delete")
        machine = self._find(name)
        if machine is not None and machine.deleted is None:
            machine.deleted = self._clock()
            self._deletion_ends[name] = machine.deleted + machine.character.deletion_takes

    async def remaining(self, parts: Sequence[str]) -> Sequence[str]:
        self._on_call("remaining")
        self._remove_deleted()
        return [part for part in parts if part.lower() in self._owners or part.lower() in self._orphans]

    async def delete_part(self, resource_id: str) -> None:
        check_part(resource_id, self._test.subscription, self._test.resource_group)
        self._on_call("delete_part")
        self._remove_deleted()
        tags = self._orphans.get(resource_id.lower())
        if tags is not None:
            check_tags(resource_id, tags)
            del self._orphans[resource_id.lower()]
        elif resource_id.lower() in self._owners:
            raise Conflict(f"{resource_id} is in use by a machine")

    async def ours(self) -> Sequence[OwnMachine]:
        self._on_call("ours")
        self._remove_deleted()
        tagged = {part: own_tags(machine.spec) for part, machine in self._owners.items()} | self._orphans
        found = (owned(part, part.rsplit("/", 1)[-1], tags) for part, tags in tagged.items())
        return [each for each in found if each is not None]

    # --- the platform -------------------------------------------------------------------------------------------------

    def _find(self, name: str) -> _Machine | None:
        self._remove_deleted()
        return self._machines.get(name)

    def _remove_deleted(self) -> None:
        """Remove machines whose deletion has completed."""
        now = self._clock()
        for name in [name for name, gone in self._deletion_ends.items() if now >= gone]:
            del self._deletion_ends[name]
            machine = self._machines.pop(name)
            for part in machine.parts:
                del self._owners[part]
            if machine.character.leaves_disk:
                self._orphans[machine.parts[1]] = own_tags(machine.spec)

    def _check_size(self, spec: MachineSpec) -> None:
        size = self._sizes.get(spec.vm_size.lower())
        if size is None:
            raise Refused("InvalidParameter", f"The value {spec.vm_size} provided for the VM size is not valid.", 400)
        if size.restricted is not None or (spec.zone is not None and spec.zone not in size.zones):
            where = f"{spec.region} zone {spec.zone}" if spec.zone else spec.region
            text = f"The requested VM size for resource '{spec.name}' is currently not available in location '{where}'."
            raise Refused("SkuNotAvailable", text, 409)

    def _check_image(self, spec: MachineSpec) -> None:
        definition = self._replicas.definition_of(spec.image)
        if definition is None or not self._replicas.replica_ready(spec.image, spec.region):
            message = f"The gallery image {spec.image} is not available in {spec.region} region."
            raise Refused("GalleryImageNotFound", message, 404)
        if definition.os_state.lower() != spec.os_state.lower():
            specialized = definition.os_state.lower() == "specialized"
            text = (
                "Parameter 'osProfile' is not allowed." if specialized else "Required parameter 'osProfile' is missing."
            )
            raise Refused("InvalidParameter", text, 400)
        self._check_definition(spec, definition)

    def _check_definition(self, spec: MachineSpec, definition: DefinitionFacts) -> None:
        size, traits = self._sizes[spec.vm_size.lower()], definition_traits(definition)
        found = list(obstacles(size, traits))
        if spec.security not in traits.security_types or not size.supports(spec.security):
            found.append(f"SecurityType '{spec.security}' is not supported by given image.")
        if spec.controller != controller(traits, size):
            found.append(f"cannot boot with DiskControllerType '{spec.controller}'")
        if found:
            raise Refused("BadRequest", f"The VM size '{spec.vm_size}' cannot boot the image: {'; '.join(found)}", 400)

    def _parts_of(self, spec: MachineSpec) -> tuple[str, ...]:
        group = f"/subscriptions/{self._test.subscription}/resourcegroups/{self._test.resource_group}/providers".lower()
        disks = [
            f"{spec.name}-os",
            *(f"{spec.name}-data{lun}" for lun in spec.data_disk_luns or range(spec.data_disks)),
        ]
        return (
            f"{group}/microsoft.compute/virtualmachines/{spec.name}",
            *(f"{group}/microsoft.compute/disks/{disk}" for disk in disks),
            f"{group}/microsoft.network/networkinterfaces/{spec.name}-nic",
        )

    def _seen(self, machine: _Machine, now: datetime) -> MachineFacts:
        character, age = machine.character, now - machine.asked
        failure = character.failure if character.failure and age >= character.failure.after else None
        provisioned = character.provisioned_after is not None and age >= character.provisioned_after
        # The agent's last report stays until the restart has ended.
        ready = machine.is_restarting(now) or machine.agent_ready(now)
        state = "Failed" if failure else "Succeeded" if provisioned else "Creating"
        if machine.is_restarting(now):
            state = "Updating"
        return MachineFacts(
            name=machine.spec.name,
            provisioning_state="Deleting" if machine.deleted else state,
            os_provisioned=provisioned and not failure,
            running=age >= character.powered_after,
            agent_ready=ready,
            agent="2.11.1.4 Ready" if ready else "",
            failure_code=failure.code if failure else None,
            failure_message=failure.message.format(vm=machine.spec.name) if failure else "",
            parts=machine.parts,
            provisioned_in=character.provisioned_after if provisioned and not failure else None,
        )

    def _outcome(self, machine: _Machine, probe: _Probe, now: datetime) -> ProbeFacts:
        age, character = now - probe.began, machine.character
        if not machine.agent_ready(now):
            return ProbeFacts("Pending", provisioning_state="Creating")
        if character.probe_takes is None or age < character.probe_takes:
            if age >= probe.within:
                return ProbeFacts("TimedOut", provisioning_state="Succeeded", failure="The script ran out of its time.")
            return ProbeFacts("Running", provisioning_state="Creating")
        if probe.ran is None:
            probe.ran = run_script(probe.script, machine.guest(), probe.began + character.probe_takes)
        ran = probe.ran
        state = "Succeeded" if ran.exit_code == 0 else "Failed"
        return ProbeFacts(state, ran.exit_code, ran.output, ran.error, provisioning_state="Succeeded")
