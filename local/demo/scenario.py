"""The versions that the demo publishes, their images and the expected results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

SOURCE: Final = "00000000-0000-4000-8000-000000000001"
PRODUCTION: Final = "00000000-0000-4000-8000-000000000002"
GROUP: Final = "rg-images"
GALLERY: Final = "gal_build"
TEST_GROUP: Final = "rg-ringmaster-test"
REGIONS: Final = ("westeurope", "northeurope", "eastus", "eastus2", "westus2", "southeastasia")
RINGS: Final = {
    "canary": ("westeurope", "northeurope"),
    "early": ("eastus", "westus2"),
    "production": ("eastus2", "southeastasia"),
}
TWO_RINGS: Final = {name: RINGS[name] for name in ("canary", "production")}
GALLERIES: Final = {"canary": GALLERY, "early": GALLERY, "production": "gal_prod"}


@dataclass(frozen=True, slots=True)
class Story:
    """One version: its image, its events and its expected result."""

    definition: str
    number: str
    character: str
    title: str
    state: str
    reason: str | None = None
    """A regular expression that one of the reasons must match."""
    passed: str | None = None
    """A regular expression that the evidence of the scan gate must match, if the version passes with findings."""
    warning: str | None = None
    """A regular expression that one of the warnings must match, if a later scan has findings."""
    rings: Mapping[str, Sequence[str]] = field(default_factory=lambda: RINGS, hash=False)
    """Regions by ring."""

    @property
    def name(self) -> str:
        """The display name."""
        return f"{self.definition} {self.number}"

    @property
    def id(self) -> str:
        """The version's resource id."""
        return (
            f"/subscriptions/{SOURCE}/resourceGroups/{GROUP}/providers/Microsoft.Compute/galleries/{GALLERY}"
            f"/images/{self.definition}/versions/{self.number}"
        )

    @property
    def image(self) -> str:
        """The resource id of the managed image."""
        return (
            f"/subscriptions/{SOURCE}/resourceGroups/{GROUP}/providers/Microsoft.Compute/images"
            f"/img-{self.definition}-{self.number}"
        )


INDEPENDENT: Final = (
    Story("ubuntu-22-04", "1.0.0", "critical-cve", "has a critical CVE", "rejected", r"CVE-2021-44228"),
    Story(
        "ubuntu-22-04",
        "1.1.0",
        "never-generalized",
        "not generalized",
        "rejected",
        r"guest agent was detected running",
    ),
    Story("ubuntu-22-04", "1.2.0", "panics-at-boot", "panics at boot", "rejected", r"console: kernel panic"),
    Story(
        "ubuntu-22-04",
        "1.3.0",
        "high-cves",
        "its exception has expired",
        "rejected",
        r"exception of linux-team@example\.com for CVE-2024-6387 expired at the end of 2025-12-31",
    ),
    Story("ubuntu-22-04", "1.4.0", "clean", "clean", "released"),
    Story(
        "ubuntu-22-04",
        "1.5.0",
        "cloned",
        "its machines are clones",
        "rejected",
        r"the machine id is the same on rm-\w+ .* and rm-\w+ .*cloud-init clean --machine-id",
    ),
    Story("debian-12", "12.5.1", "replication-fails-once:northeurope", "replication fails once", "released"),
    Story("almalinux-9", "9.4.20", "clean", "throttled with 429", "released"),
)
"""Versions that are published at the start. No later event affects them."""

RESCANNED: Final = Story(
    "ci-runner",
    "2.0.0",
    "high-cves-later",
    "clean at first; re-scanned later",
    "released",
    warning=r"since it was published: 7 high findings exceed the limit of 2",
    rings=TWO_RINGS,
)
IMPROVED: Final = Story(
    "ci-runner",
    "2.1.0",
    "fewer-high-cves",
    "has findings, but improves",
    "released",
    passed=r"no finding is new and 3 are resolved compared with gal_build/ci-runner/2\.0\.0",
    rings=TWO_RINGS,
)
WORSENED: Final = Story(
    "ci-runner",
    "2.2.0",
    "critical-cve",
    "within limits, but has a new critical",
    "rejected",
    r"1 new critical finding compared with gal_build/ci-runner/2\.[01]\.0 .*CVE-2021-44228",
    rings=TWO_RINGS,
)
EXCUSED: Final = Story(
    "java-base",
    "3.0.0",
    "critical-cve",
    "VEX statement: not affected",
    "released",
    passed=r"CVE-2021-44228 by java-platform@example\.com \(java-base\.openvex\.json.*JndiLookup",
    rings=TWO_RINGS,
)
REVOKED: Final = Story(
    "java-base",
    "3.1.0",
    "exploited-cve-later",
    "clean at first; exploited later",
    "revoked",
    r"1 known exploited vulnerability without an exception: .*CVE-2025-24813",
    rings=TWO_RINGS,
)
STORIES: Final = (*INDEPENDENT, RESCANNED, IMPROVED, WORSENED, EXCUSED, REVOKED)

THROTTLED: Final = "almalinux-9"


def faults() -> list[dict[str, Any]]:
    """The fault plan: requests for one version are throttled, with and without Retry-After."""
    versions = f"/images/{THROTTLED}/versions/"
    return [
        {"fault": "throttle", "method": "GET", "resource": versions, "nth": [1, 3], "retry_after": 2},
        {"fault": "throttle", "method": "PATCH", "resource": versions, "nth": [1], "retry_after": 3},
        {"fault": "throttle", "method": "PATCH", "resource": versions, "nth": [3]},
        {"fault": "throttle", "method": "PUT", "resource": f"gal_prod{versions}", "nth": [1], "retry_after": 2},
        {"fault": "drop_response_after_effect", "method": "PATCH", "resource": versions, "nth": [2]},
    ]


def world(stories: Sequence[Story] = STORIES) -> dict[str, Any]:
    """The initial resources: galleries, definitions, managed images and virtual networks."""
    definitions = sorted({story.definition for story in stories})
    return {
        "subscriptions": [{"id": SOURCE, "name": "Images"}, {"id": PRODUCTION, "name": "Production"}],
        "identities": ["ringmaster", "image-builder"],
        "resource_groups": [
            {"id": f"/subscriptions/{SOURCE}/resourceGroups/{GROUP}", "location": "westeurope"},
            {"id": f"/subscriptions/{SOURCE}/resourceGroups/{TEST_GROUP}", "location": "westeurope"},
            {"id": f"/subscriptions/{PRODUCTION}/resourceGroups/rg-prod", "location": "eastus2"},
        ],
        "resources": [
            *_gallery(SOURCE, GROUP, GALLERY, "westeurope", definitions),
            *_gallery(PRODUCTION, "rg-prod", "gal_prod", "eastus2", definitions),
            *(_image(story) for story in stories),
            *(_network(region) for region in REGIONS),
        ],
    }


def _gallery(subscription: str, group: str, name: str, location: str, definitions: list[str]) -> list[dict[str, Any]]:
    gallery = f"/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Compute/galleries/{name}"
    return [
        {"id": gallery, "location": location},
        *(
            {
                "id": f"{gallery}/images/{definition}",
                "location": location,
                "properties": {
                    "osType": "Linux",
                    "osState": "Generalized",
                    "hyperVGeneration": "V2",
                    "architecture": "x64",
                    "identifier": {"publisher": "platform", "offer": "base", "sku": definition},
                },
            }
            for definition in definitions
        ),
    ]


def _image(story: Story) -> dict[str, Any]:
    disk = {"osType": "Linux", "osState": "Generalized", "diskSizeGB": 30, "storageAccountType": "Standard_LRS"}
    return {
        "id": story.image,
        "location": "westeurope",
        "character": story.character,
        "properties": {"hyperVGeneration": "V2", "storageProfile": {"osDisk": disk, "dataDisks": []}},
    }


def _network(region: str) -> dict[str, Any]:
    network = f"/subscriptions/{SOURCE}/resourceGroups/{TEST_GROUP}/providers/Microsoft.Network"
    subnet = {"name": "default", "properties": {"addressPrefix": "10.0.0.0/24"}}
    return {
        "id": f"{network}/virtualNetworks/vnet-{region}",
        "location": region,
        "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}, "subnets": [subnet]},
    }
