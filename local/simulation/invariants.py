"""The laws as invariants: every call of a port is checked, before and after it takes effect.

A check asks the cloud and the ground truth, never the app: where the app believes that it keeps a law and does not, the
law is broken. The checks import no decision from the app (``tests/simulation/test_independence.py``).
"""

from __future__ import annotations

from typing import Any, Final

from local.simulation.action_invariants import ActionInvariants
from local.simulation.calls import Call, Invocation
from local.simulation.check_context import CheckContext, InvocationMemory
from local.simulation.cloud import run_now
from local.simulation.gallery_invariants import GalleryInvariants
from local.simulation.laws import Law
from local.simulation.ledger_invariants import LedgerInvariants, only_adds_publication, repeats_itself
from local.simulation.observations import visible_regions
from shared.domain.facts import VersionFacts
from shared.domain.hop_states import BootTestState
from shared.domain.messages import Kind

EFFECTS: Final = frozenset(
    {
        "galleries.write_targets",
        "galleries.copy_version",
        "machines.create",
        "machines.start_probe",
        "machines.restart",
        "machines.delete",
        "machines.delete_part",
        "ledger.insert",
        "ledger.replace",
        "evidence.put",
        "publisher.publish",
        "queues.send",
    }
)
"""Calls that change something outside of the function."""


class Invariants:
    """Checks every call of a run."""

    def __init__(self, context: CheckContext) -> None:
        """Begin with a run in which nothing has happened."""
        self._context = context
        actions = ActionInvariants(context)
        self._galleries = GalleryInvariants(context, actions)
        self._ledger = LedgerInvariants(context, actions)
        self._memories: dict[int, InvocationMemory] = {}
        self._present: dict[int, VersionFacts | None] = {}

    def before_call(self, call: Call) -> None:
        """A call is about to take effect."""
        if call.name == "galleries.write_targets":
            self._galleries.before_write(call)
        elif call.name == "galleries.copy_version":
            self._present[call.invocation.number] = run_now(self._context.cloud.galleries.version(call.args[1]))

    def after_call(self, call: Call, result: Any) -> None:
        """A call took effect."""
        self._context.calls += 1
        memory = self._memories.get(call.invocation.number)
        if memory is None:
            memory = self._memories[call.invocation.number] = InvocationMemory()
        if call.name in EFFECTS and not repeats_itself(call) and not only_adds_publication(call):
            if memory.is_stale:
                self._context.broken(Law.REPETITION, f"a stale command still did {call.name}", call.invocation)
            memory.has_written = True
        self._check(call, result, memory)

    def invocation_ended(self, invocation: Invocation) -> None:
        """An invocation of a function is over."""
        self._memories.pop(invocation.number, None)

    def _check(self, call: Call, result: Any, memory: InvocationMemory) -> None:
        match call.name:
            case "galleries.version":
                memory.read_at[call.args[0]] = self._context.calls
                memory.visible_at_read[call.args[0]] = frozenset(visible_regions(result))
            case "galleries.versions":
                self._versions_listed(result, memory)
            case "galleries.write_targets":
                self._galleries.after_write(call, memory)
            case "galleries.copy_version":
                self._version_copied(call)
            case "ledger.acquire_lease":
                memory.has_lease = result
            case "ledger.read":
                if memory.has_lease and result is not None:
                    memory.row = result.release
                self._ledger.row_read(call, result, memory)
            case "ledger.insert":
                self._ledger.row_inserted(call, result)
                self._galleries.row_written(call.invocation, result.release)
            case "ledger.replace":
                self._ledger.row_replaced(call, result, memory)
                self._galleries.row_written(call.invocation, result.release)
            case "health.fleet":
                self._galleries.health.fleet_read(call, result)
            case "evidence.put":
                self._context.proof.stored(call)
            case "queues.send":
                self._ledger.command_sent(call)
            case "machines.delete":
                self._check_sweep(call)
            case "machines.delete_part":
                self._check_part(call)
            case _:
                pass

    def _versions_listed(self, versions: list[VersionFacts], memory: InvocationMemory) -> None:
        for facts in versions:
            memory.read_at[facts.id] = self._context.calls
            memory.visible_at_read[facts.id] = frozenset(visible_regions(facts))
            memory.seen_visible.update((facts.id, region) for region in visible_regions(facts))

    def _version_copied(self, call: Call) -> None:
        galleries = self._context.cloud.galleries
        if self._present.pop(call.invocation.number) is None:
            copy, original = (run_now(galleries.version(each)) for each in (call.args[1], call.args[0].id))
            self._context.truth.add_copy(copy, original)

    def _check_sweep(self, call: Call) -> None:
        if call.function != "reconcile":
            return
        for row in self._context.rows.values():
            for pending in row.pending.values():
                command = pending.command
                state = command.state if command.kind is Kind.BOOT_TEST else None
                if isinstance(state, BootTestState) and state.vm == call.args[0]:
                    text = f"{call.args[0]} was swept while its test is running"
                    self._context.broken(Law.NOTHING_LEFT, text, call.invocation)

    def _check_part(self, call: Call) -> None:
        if call.args[0].lower() in self._context.truth.foreign_resources:
            text = f"{call.args[0]} is not the app's and was deleted"
            self._context.broken(Law.NOTHING_LEFT, text, call.invocation)
