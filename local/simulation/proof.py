"""What is proven of an image, from the evidence documents in the store and the policy.

Nothing of the app decides here. A verdict counts when the release's row names its evidence, the store has a document of
that name, and the document is about this image, under this policy. Of several verdicts about the same, the last counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from local.simulation.calls import Call
from local.simulation.observations import ring_regions
from shared.domain.policy import DefinitionPolicy, Ring
from shared.domain.release import GateRecord, Release


class Subject(NamedTuple):
    """What a verdict is about: a gate, and the ring and region where it has them."""

    gate: str
    ring: str | None = None
    region: str | None = None

    def __str__(self) -> str:
        return "/".join(part for part in self if part)


QUALIFYING: Final = (Subject("validation"), Subject("scan"), Subject("boot_test"))
"""What must be proven of an image before any ring is worked on."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A document in the store."""

    document: Mapping[str, Any]

    @property
    def subject(self) -> Subject:
        """What the verdict is about."""
        return Subject(self.document["gate"], self.document["ring"], self.document["region"])

    @property
    def passes(self) -> bool:
        """Whether the verdict lets the image go on."""
        return self.document["answer"] == "pass"

    def is_about(self, row: Release, image: str, policy: DefinitionPolicy) -> bool:
        """Whether the verdict is about this very image, under this policy."""
        about = (self.document["version"], self.document["incarnation"], self.document["policyDigest"])
        return about == (str(row.version), image, policy.digest)

    def says(self, row: Release, record: GateRecord) -> bool:
        """Whether the document says what the row records of it."""
        recorded = (record.answer, record.incarnation, record.policy_digest)
        said = (self.document["answer"], self.document["incarnation"] or "", self.document["policyDigest"])
        subject = Subject(record.gate, record.ring, record.region)
        return (said, self.subject, self.document["version"]) == (recorded, subject, str(row.version))


class Proof:
    """The evidence that the store has, and what it proves."""

    def __init__(self) -> None:
        """Begin without evidence."""
        self._evidence: dict[str, Evidence] = {}

    def stored(self, call: Call) -> None:
        """The store took a document; one that it has under the same name stays as it is."""
        name, document = call.args
        self._evidence.setdefault(name, Evidence(document))

    def evidence(self, name: str) -> Evidence | None:
        """The evidence of a name, or None when the store has none."""
        return self._evidence.get(name)

    def missing(self, row: Release, image: str, policy: DefinitionPolicy, ring: Ring) -> list[str]:
        """What is not proven of an image, and must be before it is published in a ring."""
        return [str(each) for each in self._unproven(_required(ring), row, image, policy)]

    def is_qualified(self, row: Release, image: str, policy: DefinitionPolicy) -> bool:
        """Whether everything is proven that must be before any ring is worked on."""
        return not self._unproven(QUALIFYING, row, image, policy)

    def _unproven(
        self, subjects: Sequence[Subject], row: Release, image: str, policy: DefinitionPolicy
    ) -> list[Subject]:
        last: dict[Subject, Evidence] = {}
        for record in row.gates:
            evidence = self._evidence.get(record.evidence)
            if evidence is not None and evidence.is_about(row, image, policy):
                last[evidence.subject] = evidence
        return [subject for subject in subjects if subject not in last or not last[subject].passes]


def _required(ring: Ring) -> list[Subject]:
    own_scan = [Subject("scan", ring.name)] if ring.scan is not None else []
    tests = [Subject("boot_test", ring.name, region) for region in ring_regions(ring)] if ring.boot_test else []
    return [*QUALIFYING, *own_scan, Subject("replication", ring.name), *tests]
