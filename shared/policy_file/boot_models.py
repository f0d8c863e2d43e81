"""The section of ``promotion.yaml`` about boot tests."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, model_validator

from shared.policy_file.boot_fields import DEFAULT_SIZES, ConsolePatterns, EncryptionSetText, OwnTags, VmSizes
from shared.policy_file.fields import Duration, Pattern, between
from shared.policy_file.probe_models import BaselineSection, Checks, OwnChecks, UnitPattern, check_time
from shared.policy_file.section import Section

_MINUTE_TO_6_HOURS = between(timedelta(minutes=1), timedelta(hours=6))


class BootSection(Section):
    """Settings and time limits of boot tests."""

    vm_size: VmSizes = Field(
        default_factory=lambda: {DEFAULT_SIZES: ("Standard_D2s_v5",)},
        description="Size of the test VM, up to eight sizes in the order in which they are tried, or such sizes by "
        "region and `default`. If Azure has no capacity or quota for a size, the next size is tried, then each size "
        "in each zone. A size must be able to boot the image: architecture, generation, security type, disk controller",
    )
    tags: OwnTags = Field(
        default_factory=dict,
        description="Tags of the test VM and all resources that are created with it, in addition to Ringmaster's own "
        "two, for tag policies in Azure. Up to 48",
    )
    disk_encryption_set: EncryptionSetText | None = Field(
        None,
        description="Resource id of the disk encryption set for the test VM's disks; `{region}` stands for the "
        "region's short name. It must be in the subscription and region of the VM, and the app's identity must be "
        "allowed to read it. Default: the set that the version has for the region, if it is in that subscription. "
        "The OS disk of a confidential VM can only use the set of the version",
    )
    ready_within: Annotated[Duration, _MINUTE_TO_6_HOURS] = Field(
        timedelta(minutes=40),
        description="Time limit from the request for the VM until it is provisioned and its agent is ready",
    )
    probe_within: Annotated[Duration, _MINUTE_TO_6_HOURS] = Field(
        timedelta(minutes=15), description="Time limit for the checks inside the VM"
    )
    serial_fail: list[Pattern] = Field(
        default_factory=list,
        description="Additional regular expressions (RE2) of console lines that fail the test",
    )
    serial_ignore: list[Pattern] = Field(
        default_factory=list, description="Regular expressions (RE2) of console lines to ignore"
    )
    checks: Checks = Field(
        default_factory=dict,
        description="Severities of checks inside the VM, by id: `error`, `warn` or `off`. docs/probe-checks.md lists "
        "the checks and their default severities. Those that prove the boot itself are always `error`",
    )
    ignore_units: list[UnitPattern] = Field(
        default_factory=list,
        max_length=50,
        description="Shell patterns of units of systemd that may fail, such as `cups*.service`. Linux only",
    )
    own_checks: OwnChecks = Field(default_factory=list, description="Checks of your own, inside the VM. Up to 20")
    baseline: BaselineSection | None = Field(
        None, description="Limits for the result of a baseline scan that is in the image. Left out: not checked"
    )
    console: Literal["required", "expected", "ignored"] = Field(
        "expected",
        description="What a blank serial console means when everything else passed: `required` repeats the test once, "
        "and then rejects the version; `expected` is a warning; `ignored` does not read the console. Windows clients "
        "and kernels without `console=ttyS0` write nothing to it",
    )
    console_patterns: ConsolePatterns = Field(
        default_factory=dict,
        description="Other severities of built-in console patterns, by name: `error` fails the test, `warning` is "
        "shown, `ignored` turns the pattern off. The names are in console-patterns.md",
    )
    reboot: bool = Field(
        True,
        description="Whether to restart the test VM after the checks. It must be ready again, pass the checks again, "
        "and keep its machine id and SSH host keys. This takes one to two minutes",
    )
    reboot_within: Annotated[Duration, _MINUTE_TO_6_HOURS] = Field(
        timedelta(minutes=15), description="Time limit from the restart until the VM's agent is ready again"
    )
    twins: Literal["compared", "pair", "ignored"] = Field(
        "compared",
        description="What to do about identities that VMs of one version share (machine id, SSH host keys, machine "
        "SID and others): `compared` compares the VMs of the smoke test and of all rings, and rejects the version; "
        "`pair` also boots a second VM in the smoke test, for policies without boot tests before the first "
        "publication; `ignored` accepts them. Specialized images are not compared",
    )
    max_slowdown: Annotated[float, Field(gt=1, le=100)] | None = Field(
        None,
        description="How many times as long as the published version, in the same region and VM size, the VM may take "
        "to be provisioned, to have its agent ready, or to restart. A difference below 30 seconds does not count. "
        "Left out: the times are recorded and not compared",
    )
    on_slow_boot: Literal["warn", "reject"] = Field(
        "warn",
        description="What to do with a version that exceeds `maxSlowdown`: `warn`, or `reject` after a second VM",
    )

    @model_validator(mode="after")
    def _time_for_own_checks(self) -> BootSection:
        check_time(self.own_checks, self.probe_within)
        return self
