"""What a check of the probe is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from shared.domain.boot_test.identities import IDENTITIES


class CheckSeverity(StrEnum):
    """What a failed check does to the verdict."""

    ERROR = "error"
    """It rejects the image."""
    WARN = "warn"
    """It is a warning."""
    OFF = "off"
    """The check is not run."""


@dataclass(frozen=True, slots=True)
class ProbeCheck:
    """One check. ``failure`` is the text of a failed one, with the script's detail in it."""

    id: str
    severity: CheckSeverity
    proves: str
    failure: str
    remedy: str
    has_value: bool = False
    """Whether it passes only with a value, which becomes part of the evidence."""
    generalized: bool = False
    """Whether it says something about generalized images alone: a specialized one keeps what it has."""
    proves_boot: bool = False
    """Whether a boot test without it proves nothing, so that no policy can change its severity."""
    first_boot_only: bool = False
    """Whether it compares ages with the boot. After a restart, everything on a good machine is older than the boot."""


def boot_proof(check: str, proves: str, failure: str, remedy: str) -> ProbeCheck:
    """A check whose failure always rejects the image."""
    return ProbeCheck(check, CheckSeverity.ERROR, proves, failure, remedy, has_value=True, proves_boot=True)


def required(check: str, proves: str, failure: str, remedy: str) -> ProbeCheck:
    """A check whose failure rejects the image unless the policy says otherwise."""
    return ProbeCheck(check, CheckSeverity.ERROR, proves, failure, remedy, has_value=True)


def advised(check: str, proves: str, failure: str, remedy: str) -> ProbeCheck:
    """A check whose failure is a warning unless the policy says otherwise."""
    return ProbeCheck(check, CheckSeverity.WARN, proves, failure, remedy)


def left_over(check: str, proves: str, failure: str, remedy: str) -> ProbeCheck:
    """A check for what the build VM left in a generalized image. Its failure is a warning by default."""
    return ProbeCheck(check, CheckSeverity.WARN, proves, failure, remedy, generalized=True)


def older_than_boot(check: str, proves: str, failure: str, remedy: str) -> ProbeCheck:
    """As ``left_over``, by age: what the first boot of the machine did not make is left."""
    return ProbeCheck(check, CheckSeverity.WARN, proves, failure, remedy, generalized=True, first_boot_only=True)


def identity(check: str, what: str) -> ProbeCheck:
    """A digest, which is compared with those of the other machines of the version: see ``identities``."""
    remedy = next(each.remedy for each in IDENTITIES if each.check == check)
    return ProbeCheck(
        check,
        CheckSeverity.WARN,
        f"No other test machine of the version has this machine's {what}. The verdict compares all machines, and "
        "rejects the version where two share it.",
        f"the {what} cannot be read: {{detail}}",
        f"Generalize the image: {remedy}.",
    )


BASELINE = ProbeCheck(
    "baseline",
    CheckSeverity.ERROR,
    "The result of a baseline scan in the image (OpenSCAP or InSpec) is within the policy's limits. It is checked if "
    "the policy has `boot.baseline`.",
    "the baseline is not met: {detail}",
    "Correct the rules in the image, or allow them in boot.baseline of the policy.",
)
