"""Rules about the rings that the version must reach, their regions and machines, and Azure's limits."""

from __future__ import annotations

from typing import Final

from shared.domain.validation.rule import Rule, RuleSeverity

_TROUBLES: Final = "Microsoft Learn, Troubleshoot images in an Azure Compute Gallery"
_OVERVIEW: Final = "Microsoft Learn, Store and share images in an Azure Compute Gallery"
_KEYS: Final = "Microsoft Learn, Use customer-managed keys for encrypting images"
_SKUS: Final = "Azure REST API, Resource Skus - List"
_LIMITS: Final = f"{_OVERVIEW} (limits)"

RINGS: Final = (
    Rule(
        id="ring-definition-gone",
        proves="Each ring's image definition exists, and the app can read it.",
        cause="It was not created, or the app has no permission.",
        cure="Create it with the same OS type, state, generation and architecture.",
        source="Azure REST API, Gallery Images - Get",
        locked="law 2 (nothing promoted without proof)",
    ),
    Rule(
        id="ring-definition-state",
        proves="No ring's image definition is failed or being deleted.",
        cause="A write of the definition failed, or somebody deletes it.",
        cure="Write the definition again.",
        source="Azure REST API, Gallery Images - Get (provisioningState)",
        locked="law 2 (nothing promoted without proof)",
    ),
    Rule(
        id="ring-definition-differs",
        proves="Each ring's image definition has the properties of the source definition that Azure compares.",
        cause="The definitions were created in different ways.",
        cure="Create another definition: these properties cannot be changed.",
        source=_TROUBLES,
    ),
    Rule(
        id="ring-definition-for-consumers",
        severity=RuleSeverity.WARN,
        proves="Each ring's image definition has the recommendations and features of the source definition.",
        cause="One of them was updated.",
        cure="Update the other one.",
        source="Azure REST API, Gallery Images - Get",
    ),
    Rule(
        id="shallow-elsewhere",
        proves="A shallow replica is not needed in another region or gallery.",
        cause="The builder uses the replication mode Shallow.",
        cure="Build it with the replication mode Full.",
        source=f"{_OVERVIEW} (shallow replication)",
    ),
    Rule(
        id="encrypted-copy",
        proves="A version with a customer-managed key need not be copied to another gallery.",
        cause="Azure does not copy such a version.",
        cure="Build it without such a key, or in that gallery.",
        source=_KEYS,
    ),
    Rule(
        id="encryption-set-missing",
        proves="A version with a customer-managed key has a disk encryption set for each region of the rings.",
        cause="The build names fewer regions than the rings.",
        cure="Let the build configure these regions with their disk encryption sets.",
        source=_KEYS,
    ),
    Rule(
        id="confidential-elsewhere",
        proves="A version of the SecurityType ConfidentialVM stays in its region and subscription.",
        cause="Its VM guest state cannot be moved.",
        cure="Build it for the SecurityType ConfidentialVMSupported.",
        source="Microsoft Learn, Create a confidential VM from a compute gallery image",
    ),
    Rule(
        id="vm-sizes-unread",
        severity=RuleSeverity.WARN,
        proves="The app can list the VM sizes of Azure.",
        cause="The app has no permission in the test subscription.",
        cure="Grant the app Microsoft.Compute/skus/read there.",
        source=_SKUS,
    ),
    Rule(
        id="vm-size",
        proves="Each boot test has a size that can boot the image. A release with such a finding waits for the policy.",
        cause="The sizes of `boot.vmSize` have another architecture, generation, security type or disk controller.",
        cure="Name other sizes.",
        source=_SKUS,
    ),
    Rule(
        id="vm-size-unusable",
        severity=RuleSeverity.WARN,
        proves="Every size of `boot.vmSize` can boot the image.",
        cause="One of several sizes cannot. It is not tried.",
        cure="Remove it from `boot.vmSize`.",
        source=_SKUS,
    ),
    Rule(
        id="vm-size-restricted",
        severity=RuleSeverity.WARN,
        proves="The subscription may use the sizes.",
        cause="Azure restricts the size for the subscription.",
        cure="Use another size, or ask Azure for access.",
        source=f"{_SKUS} (restrictions)",
    ),
    Rule(
        id="vm-size-not-recommended",
        severity=RuleSeverity.WARN,
        proves="The sizes are in the recommended range of the image definition.",
        cause="The test machine is smaller or larger than consumers should use.",
        cure="Use a size of the range.",
        source="Azure REST API, Gallery Images - Get (recommended)",
    ),
    Rule(
        id="no-twin",
        severity=RuleSeverity.WARN,
        proves="Two machines of the version are booted and compared before its first publication.",
        cause="The first ring has no boot test, so that the smoke test's machine is the only one.",
        cure="Set `boot.twins` to `pair`, or `bootTest` of the ring to `true`.",
        source="systemd, Building Images Safely",
    ),
    Rule(
        id="target-storage",
        severity=RuleSeverity.WARN,
        proves="The version is stored in each region with the storage type of the ring.",
        cause="The builder writes other target regions than the policy.",
        cure="Let the builder use the storage type of the ring: Azure does not change it later.",
        source="Microsoft Learn, Create an image definition and an image version (target regions)",
    ),
    Rule(
        id="target-region-extra",
        severity=RuleSeverity.WARN,
        proves="The version has no replicas beside those of the rings: no other region than its home, and no higher "
        "count.",
        cause="The builder writes other target regions than the policy.",
        cure="Remove them from the build, or add them to a ring: Ringmaster removes no region and no replica.",
        source=f"{_OVERVIEW} (replication)",
    ),
    Rule(
        id="zone-storage",
        proves="Regions with zone-redundant storage have availability zones. Where Azure's list cannot be read, a "
        "finding is a warning.",
        cause="The policy names Standard_ZRS for a region without zones.",
        cure="Use Standard_LRS there.",
        source="Microsoft Learn, Azure regions with availability zones; Resource Skus - List (zones)",
    ),
    Rule(
        id="replica-limit",
        severity=RuleSeverity.WARN,
        proves="The replicas of the version stay below Azure's limit of 100, with headroom. Above it, a finding is an "
        "error.",
        cause="The rings and the builder ask for many replicas.",
        cure="Use fewer replicas or regions.",
        source=_LIMITS,
    ),
    Rule(
        id="version-limit",
        severity=RuleSeverity.WARN,
        proves="The versions of the definition alone leave headroom below the limit of 10,000 in a subscription and "
        "region.",
        cause="Old versions are not deleted.",
        cure="Delete versions that nobody uses.",
        source=_LIMITS,
    ),
    Rule(
        id="gallery-limit",
        severity=RuleSeverity.WARN,
        proves="The galleries of the subscription and region leave headroom below the limit of 100.",
        cause="Many teams have their own gallery.",
        cure="Use fewer galleries, or another subscription.",
        source=_LIMITS,
    ),
    Rule(
        id="galleries-unread",
        severity=RuleSeverity.WARN,
        proves="The app can list the galleries of the subscription, so that gallery-limit is checked.",
        cause="The app has no permission at the level of the subscription.",
        cure="Grant the app Microsoft.Compute/galleries/read there, or turn gallery-limit off.",
        source="Azure REST API, Galleries - List",
    ),
    Rule(
        id="disk-limit",
        severity=RuleSeverity.WARN,
        proves="The disks leave headroom below the largest size that a gallery takes: 2 TB, or 32 TB with shallow "
        "replication.",
        cause="The image grows from build to build.",
        cure="Use a smaller disk: consumers can enlarge it.",
        source=_LIMITS,
    ),
)
