"""What there is in Azure for these tests, what the policy wants of it, and what outsiders send."""

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local.host.people import load_people
from local.scanner.report import report_for
from local.stack import StackOptions
from local.stack.services import PEOPLE as PEOPLE_FILE
from shared.domain.image import VersionId

BUILD, PRODUCTION = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"
GALLERY = f"/subscriptions/{BUILD}/resourceGroups/rg-images/providers/Microsoft.Compute/galleries/gal_build"
COPIES = f"/subscriptions/{PRODUCTION}/resourceGroups/rg-prod/providers/Microsoft.Compute/galleries/gal_prod"
IMAGES = f"/subscriptions/{BUILD}/resourceGroups/rg-images/providers/Microsoft.Compute/images"
TEST_GROUP = f"/subscriptions/{BUILD}/resourceGroups/rg-ringmaster-test"
NETWORKS = f"{TEST_GROUP}/providers/Microsoft.Network/virtualNetworks"
REGIONS = ("westeurope", "northeurope", "eastus2")
LONG, ASKED = ("journey", "restart"), ("approvals", "actions")
SHORT = ("events", "scans", "queues", "routes", "policy", "downtime")
"""One definition for each purpose, so that no version overtakes another's. The policy does not cover ``stranger``.

The long way leads through two rings, one of them in another gallery, with a boot test in each region; the short one
through one ring in the region that was booted in already. Where people are asked, that ring wants an approval.
"""
CHARACTERS = ("clean", "critical-cve", "panics-at-boot")
PUBLISHED = {"canary": ["westeurope", "northeurope"], "production": ["eastus2"]}
"""Where a version is published at the end of the long way."""
PEOPLE = {person.account.partition("@")[0]: person for person in load_people(PEOPLE_FILE)}
"""The people of a stack on which they sign in, by role."""
MAX_REPORT = 700_000
"""Bytes of the largest report that the app of these tests takes."""
_LONG_WAY = [
    {"name": "canary", "regions": PUBLISHED["canary"]},
    {"name": "production", "bake": "10m", "gallery": COPIES, "regions": PUBLISHED["production"]},
]
_ASKED_WAY = [{"name": "canary", "regions": ["westeurope"], "bootTest": False, "approval": {"count": 1}}]
_SHORT_WAY = [{"name": "canary", "regions": ["westeurope"], "bootTest": False}]


def version(definition: str, number: str) -> VersionId:
    """A version in the source gallery."""
    return VersionId.parse(f"{GALLERY}/images/{definition}/versions/{number}")


def policy() -> dict[str, Any]:
    """What is released where to."""
    return {
        "version": 1,
        "test": {
            "subscription": BUILD,
            "resourceGroup": "rg-ringmaster-test",
            "subnet": f"{NETWORKS}/vnet-{{region}}/subnets/default",
        },
        "access": _access(),
        "definitions": [
            {
                "name": name,
                "source": f"{GALLERY}/images/{name}",
                "scan": {"limits": {"critical": 0, "high": 5}, "onlyFixable": True, "deadline": "30d"},
                "rings": _LONG_WAY if name in LONG else _ASKED_WAY if name in ASKED else _SHORT_WAY,
            }
            for name in (*LONG, *ASKED, *SHORT)
        ],
    }


def _access() -> dict[str, list[str]]:
    """The roles of the stack's people."""
    ids = {name: person.id for name, person in PEOPLE.items()}
    return {
        "readers": [ids["reader"]],
        "operators": [ids["operator"]],
        "approvers": [ids["approver"], ids["builder"]],
        "admins": [ids["admin"]],
    }


def world() -> dict[str, Any]:
    """What there is in Azure before anything happens."""
    names = (*LONG, *ASKED, *SHORT, "stranger")
    return {
        "subscriptions": [{"id": BUILD, "name": "Images"}, {"id": PRODUCTION, "name": "Production"}],
        "identities": ["ringmaster", "image-builder"],
        "resource_groups": [
            {"id": f"/subscriptions/{BUILD}/resourceGroups/rg-images", "location": "westeurope"},
            {"id": TEST_GROUP, "location": "westeurope"},
            {"id": f"/subscriptions/{PRODUCTION}/resourceGroups/rg-prod", "location": "eastus2"},
        ],
        "resources": [
            {"id": GALLERY, "location": "westeurope"},
            {"id": COPIES, "location": "eastus2"},
            *(_definition(GALLERY, "westeurope", name) for name in names),
            *(_definition(COPIES, "eastus2", name) for name in names),
            *(_image(character) for character in CHARACTERS),
            *(_network(region) for region in REGIONS),
        ],
    }


def options(directory: Path, **chosen: Any) -> StackOptions:
    """A stack on this world and policy, both written to the folder. Scans come from the tests alone."""
    (directory / "world.json").write_text(json.dumps(world()), encoding="utf-8")
    (directory / "policy.yaml").write_text(json.dumps(policy(), indent=1), encoding="utf-8")
    given = {"speed": 1200.0, "scanner": False, "world": directory / "world.json", "policy": directory / "policy.yaml"}
    return StackOptions(**{**given, **chosen})


def written(image: VersionId | str, **changes: Any) -> dict[str, Any]:
    """Event Grid's event of a version that was written; ``changes`` replace its fields."""
    event = {
        "id": str(uuid.uuid4()),
        "topic": f"/subscriptions/{BUILD}",
        "subject": str(image),
        "eventType": "Microsoft.Resources.ResourceWriteSuccess",
        "eventTime": datetime.now(UTC).isoformat(),
        "dataVersion": "2",
        "metadataVersion": "1",
        "data": {
            "resourceUri": str(image),
            "operationName": "Microsoft.Compute/galleries/images/versions/write",
            "resourceProvider": "Microsoft.Compute",
            "status": "Succeeded",
            "claims": {"appid": "5f0c2a7e-0000-4000-8000-00000000b01d"},
        },
    }
    return {**event, **changes}


def as_cloud_event(event: Mapping[str, Any]) -> dict[str, Any]:
    """The same event in the other schema."""
    return {
        "specversion": "1.0",
        "id": event["id"],
        "source": event["topic"],
        "subject": event["subject"],
        "type": event["eventType"],
        "time": event["eventTime"],
        "data": event["data"],
    }


def report(image: VersionId, character: str = "clean") -> bytes:
    """Trivy's report about an image of this character, made now."""
    return json.dumps(report_for(character, str(image), datetime.now(UTC))).encode()


def _definition(gallery: str, location: str, name: str) -> dict[str, Any]:
    return {
        "id": f"{gallery}/images/{name}",
        "location": location,
        "properties": {
            "osType": "Linux",
            "osState": "Generalized",
            "hyperVGeneration": "V2",
            "architecture": "x64",
            "identifier": {"publisher": "platform", "offer": "base", "sku": name},
        },
    }


def _image(character: str) -> dict[str, Any]:
    disk = {"osType": "Linux", "osState": "Generalized", "diskSizeGB": 30, "storageAccountType": "Standard_LRS"}
    return {
        "id": f"{IMAGES}/img-{character}",
        "location": "westeurope",
        "character": character,
        "properties": {"hyperVGeneration": "V2", "storageProfile": {"osDisk": disk, "dataDisks": []}},
    }


def _network(region: str) -> dict[str, Any]:
    subnet = {"name": "default", "properties": {"addressPrefix": "10.0.0.0/24"}}
    return {
        "id": f"{NETWORKS}/vnet-{region}",
        "location": region,
        "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}, "subnets": [subnet]},
    }
