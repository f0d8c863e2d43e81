"""Rules about the version itself, its image definition and its gallery."""

from __future__ import annotations

from typing import Final

from shared.domain.validation.rule import Rule, RuleSeverity

_LOST: Final = "law 1 (nothing is lost)"
_PROOF: Final = "law 2 (nothing promoted without proof)"
_VERSIONS: Final = "Azure REST API, Gallery Image Versions - Get"
_DEFINITIONS: Final = "Azure REST API, Gallery Images - Get"
_GALLERIES: Final = "Azure REST API, Galleries - Get"
_OVERVIEW: Final = "Microsoft Learn, Store and share images in an Azure Compute Gallery"

IMAGE: Final = (
    Rule(
        id="version-gone",
        proves="The version exists.",
        cause="Somebody deleted it before it was validated.",
        cure="Build it again.",
        source=_VERSIONS,
        locked=_LOST,
    ),
    Rule(
        id="version-state",
        proves="Its provisioning state is Succeeded.",
        cause="The gallery could not create it, is deleting it, or reports a state that Ringmaster does not know.",
        cure="Read Azure's error on the version, and build another number.",
        source=f"{_VERSIONS} (provisioningState)",
        locked=_PROOF,
    ),
    Rule(
        id="not-ready-in-time",
        proves="It left the state Creating within `validation.readyWithin`.",
        cause="Replication to one of its regions hangs.",
        cure="Check its replication in Azure. Replication can take six hours.",
        source="Microsoft Learn, Troubleshoot images in an Azure Compute Gallery",
        locked=_LOST,
    ),
    Rule(
        id="definition-gone",
        proves="Its image definition exists, and the app can read it.",
        cause="It was deleted, or the app has no permission.",
        cure="Grant the app Microsoft.Compute/galleries/images/read.",
        source=_DEFINITIONS,
        locked=_PROOF,
    ),
    Rule(
        id="definition-state",
        proves="The image definition is not failed and not being deleted.",
        cause="A write of the definition failed, or somebody deletes it.",
        cure="Write the definition again.",
        source=f"{_DEFINITIONS} (provisioningState)",
        locked=_PROOF,
    ),
    Rule(
        id="gallery-gone",
        proves="Its gallery exists, and the app can read it.",
        cause="It was deleted, or the app has no permission.",
        cure="Grant the app Microsoft.Compute/galleries/read.",
        source=_GALLERIES,
        locked=_PROOF,
    ),
    Rule(
        id="gallery-state",
        proves="The gallery is not failed and not being deleted.",
        cause="A write of the gallery failed, or somebody deletes it.",
        cure="Write the gallery again.",
        source=f"{_GALLERIES} (provisioningState)",
        locked=_PROOF,
    ),
    Rule(
        id="visible-before-proof",
        severity=RuleSeverity.WARN,
        proves="`latest` cannot resolve to the version before its gates have passed.",
        cause="The builder does not set excludeFromLatest.",
        cure="Let the builder set it.",
        source=f"{_OVERVIEW} (excludeFromLatest)",
        locked="`validation.visibleBeforeProof` says what is done with such a version",
    ),
    Rule(
        id="policy-violation",
        proves="Azure does not report the version for a policy violation.",
        cause="Somebody reported the image, for example for its copyright.",
        cure="Clear the report with Azure, or build an image without the violation.",
        source=f"{_VERSIONS} (safetyProfile.reportedForPolicyViolation)",
    ),
    Rule(
        id="platform-validation",
        proves="Every validation that Azure itself made of the version has succeeded. Another status is a warning.",
        cause="The image does not boot with Trusted Launch, for example because a driver is not signed.",
        cure="Read validationsProfile of the version, and correct the image.",
        source=f"{_VERSIONS} (validationsProfile)",
    ),
    Rule(
        id="trusted-launch-unvalidated",
        severity=RuleSeverity.OFF,
        proves="Azure has validated the version for Trusted Launch, where its definition supports that.",
        cause="The validation is a preview that the subscription has not registered, or is not finished: it takes an "
        "hour or more.",
        cure="Register the preview, or turn the rule off.",
        source="Microsoft Learn, Trusted Launch validation for Azure Compute Gallery images (preview)",
    ),
    Rule(
        id="shallow",
        severity=RuleSeverity.WARN,
        proves="The version is a full replica.",
        cause="The builder uses the replication mode Shallow, which is intended for tests.",
        cure="Build it with the replication mode Full.",
        source=f"{_OVERVIEW} (shallow replication)",
    ),
    Rule(
        id="end-of-life",
        proves="Neither the version nor its definition has reached its end of life.",
        cause="An old version was published again, or the definition was retired.",
        cure="Set another endOfLifeDate.",
        source=f"{_VERSIONS} (publishingProfile.endOfLifeDate)",
    ),
    Rule(
        id="end-of-life-missing",
        proves="The version has an end of life.",
        cause="The builder does not set endOfLifeDate.",
        cure="Let the builder set it.",
        source=f"{_VERSIONS} (publishingProfile.endOfLifeDate)",
        needs="validation.endOfLife",
    ),
    Rule(
        id="end-of-life-near",
        proves="The end of life of the version is as far away as the policy requires.",
        cause="The builder sets a fixed date, or an old build was published late.",
        cure="Set a later endOfLifeDate; Azure accepts a change.",
        source=f"{_VERSIONS} (publishingProfile.endOfLifeDate)",
        needs="validation.endOfLife",
    ),
    Rule(
        id="security-type",
        proves="The generation of the definition supports its SecurityType.",
        cause="The definition was created with generation V1.",
        cure="Create a definition with generation V2.",
        source="Microsoft Learn, Trusted Launch for Azure virtual machines",
    ),
    Rule(
        id="tag-missing",
        proves="The version has every tag of `validation.requiredTags`.",
        cause="The builder does not set the tag.",
        cure="Let the builder set it.",
        source="Microsoft Learn, Use tags to organize your Azure resources",
        needs="validation.requiredTags",
    ),
    Rule(
        id="tag-value",
        proves="The value of every required tag matches its pattern.",
        cause="The builder sets another value.",
        cure="Correct the builder, or the pattern.",
        source="Microsoft Learn, Use tags to organize your Azure resources",
        needs="validation.requiredTags",
    ),
    Rule(
        id="owner-tag",
        proves="The version names an owner who can be reached: by e-mail address, or by Entra object id.",
        cause="The tag is missing, or has a free text.",
        cure="Let the builder set the address of a mailbox or group that is read.",
        source="Microsoft Learn, Use tags to organize your Azure resources",
        needs="validation.owner",
    ),
    Rule(
        id="disk-size-unknown",
        severity=RuleSeverity.WARN,
        proves="The gallery says how large the OS disk is.",
        cause="The gallery does not report it for this kind of source.",
        cure="None is needed; the boot test shows whether the disk boots.",
        source=f"{_VERSIONS} (storageProfile.osDiskImage.sizeInGB)",
    ),
    Rule(
        id="disk-size",
        proves="The disks are within `validation.minDiskGB` and `validation.maxDiskGB`.",
        cause="The build uses another disk size.",
        cure="Correct the build, or the policy.",
        source=f"{_VERSIONS} (storageProfile)",
    ),
    Rule(
        id="number-order",
        severity=RuleSeverity.WARN,
        proves="No published version has a higher number. With `validation.numbers.order: ascending`, no version of "
        "the definition has one, and a finding is an error.",
        cause="An older branch was built, or the builder's counter was reset.",
        cure="Build a higher number: `latest` is the highest number, and never resolves to this one.",
        source=f"{_OVERVIEW} (latest)",
    ),
    Rule(
        id="number-format",
        proves="The number has the format of `validation.numbers`.",
        cause="The builder counts in another way.",
        cure="Correct the builder. A number cannot be changed: build another.",
        source=f"{_OVERVIEW} (naming conventions)",
        needs="validation.numbers",
    ),
    Rule(
        id="number-gap",
        severity=RuleSeverity.WARN,
        proves="With the format semver, the number follows the one before it.",
        cause="Versions in between failed to build, or were deleted.",
        cure="None is needed where you know of them.",
        source=f"{_OVERVIEW} (naming conventions)",
        needs="validation.numbers",
    ),
    Rule(
        id="number-duplicate",
        proves="No other version has the number: none of the definition with other leading zeros, and none in a "
        "ring's gallery that is not a copy of this one.",
        cause="A ring's gallery is also written by another pipeline, or a deleted number was used again.",
        cure="Delete the other version, or build another number.",
        source=f"{_OVERVIEW} (naming conventions)",
        needs="validation.numbers",
    ),
)
