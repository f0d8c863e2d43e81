"""Rules about what the version was made from, and by whom."""

from __future__ import annotations

from typing import Final

from shared.domain.validation.rule import Rule, RuleSeverity

_VERSIONS: Final = "Azure REST API, Gallery Image Versions - Get"
_TROUBLES: Final = "Microsoft Learn, Troubleshoot images in an Azure Compute Gallery"
_MACHINES: Final = "Azure REST API, Virtual Machines - Get"
_CAPTURE: Final = "Microsoft Learn, Remove machine specific information by deprovisioning or generalizing a VM"
_LOG: Final = "Azure REST API, Activity Logs - List"

ORIGIN: Final = (
    Rule(
        id="source-gone",
        severity=RuleSeverity.WARN,
        proves="The source of the version still exists, so that it can be compared.",
        cause="Builders delete their sources.",
        cure="Keep the source until the release has ended, or turn the rule off.",
        source=f"{_VERSIONS} (storageProfile.source)",
    ),
    Rule(
        id="source-unread",
        severity=RuleSeverity.WARN,
        proves="The app can read the source of the version, so that it can be compared.",
        cause="The app has no permission on the resource group of the source.",
        cure="Grant the app the read permissions of infra/app/source-access.bicep there.",
        source="Microsoft Learn, Azure permissions for Compute",
    ),
    Rule(
        id="source-not-approved",
        proves="Everything that the version was made from is in `validation.sources`.",
        cause="Somebody built from a private image, or in another subscription.",
        cure="Build from an approved source, or approve this one.",
        source=f"{_VERSIONS} (storageProfile)",
        needs="validation.sources",
    ),
    Rule(
        id="builder-not-approved",
        proves="Whoever created the version is in `validation.builders`, by the event and by the Activity Log.",
        cause="Somebody published a version by hand, or with another application.",
        cure="Publish it with the approved pipeline, or approve the builder.",
        source=f"{_LOG}; Microsoft Learn, Azure subscription as an Event Grid source (data.claims)",
        needs="validation.builders",
    ),
    Rule(
        id="builder-unknown",
        proves="It is known who created the version.",
        cause="The event was lost or has no claims, and the app may not read the Activity Log, or finds nothing in it.",
        cure="Grant the app Microsoft.Insights/eventtypes/values/read in the subscription of the gallery.",
        source=_LOG,
        needs="validation.builders",
    ),
    Rule(
        id="activity-log-unread",
        severity=RuleSeverity.WARN,
        proves="The evidence shows who created and last wrote the version.",
        cause="The app may not read the Activity Log, or it did not answer.",
        cure="Grant the app Microsoft.Insights/eventtypes/values/read in the subscription of the gallery.",
        source="Microsoft Learn, Azure permissions for Monitor",
    ),
    Rule(
        id="os-state",
        proves="The source is generalized or specialized, as the definition declares.",
        cause="The build captures the machine without generalizing it.",
        cure="Generalize the source (waagent -deprovision, or sysprep), and build again.",
        source=_TROUBLES,
    ),
    Rule(
        id="os-type",
        proves="The source has the OS type of the definition.",
        cause="The build uses another definition.",
        cure="Build into a definition of this OS type.",
        source=_TROUBLES,
    ),
    Rule(
        id="generation",
        proves="The source has the generation of the definition.",
        cause="The build uses another base image.",
        cure="Build from a base image of this generation.",
        source=_TROUBLES,
    ),
    Rule(
        id="architecture",
        proves="The source has the architecture of the definition, and the generation supports it.",
        cause="The build uses another base image, or the definition is Arm64 with generation V1.",
        cure="Build from a base image of this architecture. Arm64 needs generation V2.",
        source=_TROUBLES,
    ),
    Rule(
        id="source-running",
        proves="A source VM is deallocated. Of a specialized source, and where Azure names no power state, a finding "
        "is a warning.",
        cause="The machine was captured while it was running, or was started again.",
        cure="Deallocate it, generalize it, and build again.",
        source=_CAPTURE,
    ),
    Rule(
        id="source-changed",
        severity=RuleSeverity.WARN,
        proves="The source VM, disk or version has not been started, attached or created again since the version was "
        "published.",
        cause="Somebody uses the source for something else.",
        cure="Find out who uses it, and build the next version from a new one.",
        source="Azure REST API, Disks - Get (LastOwnershipUpdateTime)",
    ),
    Rule(
        id="source-reused",
        severity=RuleSeverity.WARN,
        proves="No other version with other tags was made from the same source VM.",
        cause="A generalized VM was captured twice. It cannot be started in between, so both have the same content.",
        cure="Build each version from a new machine.",
        source=_CAPTURE,
    ),
    Rule(
        id="source-password",
        severity=RuleSeverity.WARN,
        proves="A Linux source VM was provisioned with password authentication disabled.",
        cause="The build uses a password, which can remain in the image with its account.",
        cure="Use an SSH key, and remove the account (waagent -deprovision+user).",
        source=f"{_MACHINES} (osProfile.linuxConfiguration.disablePasswordAuthentication)",
    ),
)
