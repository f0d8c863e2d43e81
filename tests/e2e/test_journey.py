"""A version's whole way through the app, on every real part."""

import json
from typing import Any

import pytest
from azure.core.credentials import AzureKeyCredential
from azure.core.exceptions import ClientAuthenticationError
from azure.core.messaging import CloudEvent
from azure.eventgrid import EventGridPublisherClient

from shared.domain.image import VersionId
from tests.e2e.app import App
from tests.e2e.leftovers import secrets_in, secrets_of
from tests.e2e.scene import PUBLISHED, report, version

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def released(app: App) -> dict[str, Any]:
    """A clean version that went the long way."""
    return app.released(version("journey", "1.0.0"))


def tell(app: App, event: CloudEvent, key: str | None = None) -> None:
    """Publish on the custom topic, as scanners in Azure do."""
    credential = AzureKeyCredential(key or app.environment["EVENTGRID_TOPIC_KEY"])
    with EventGridPublisherClient(app.environment["EVENTGRID_TOPIC_ENDPOINT"], credential) as client:
        # The client hands on what it is given for a request, not what it is given when it is made (4.22).
        client.send(event, connection_verify=app.environment["SSL_CERT_FILE"])


def scanned(image: VersionId, character: str) -> CloudEvent:
    """A scan event that carries what of the report decides."""
    document = json.loads(report(image, character))
    for result in document["Results"]:
        result["Packages"] = result["Packages"][:20]
    data = {"image": str(image), "format": "trivy", "report": document}
    return CloudEvent(source="scanner", type="Ringmaster.ScanFinished", subject=str(image), data=data)


def test_a_clean_version_is_published_in_every_ring(app: App, released: dict[str, Any]) -> None:
    assert released["state"] == "released"
    assert released["published"] == PUBLISHED
    assert app.machinery() == []


def test_every_gate_of_every_region_has_answered_once_with_evidence(released: dict[str, Any]) -> None:
    gates = [(each["gate"], each["ring"], each["region"], each["answer"]) for each in released["gates"]]
    passed = {("validation", None, None), ("scan", None, None), ("boot_test", None, None)}
    for ring, regions in PUBLISHED.items():
        passed |= {(gate, ring, None) for gate in ("replication", "bake", "publication")}
        passed |= {("boot_test", ring, region) for region in regions}
    assert sorted(map(str, gates)) == sorted(str((*each, "pass")) for each in passed)
    assert len({each["evidence"] for each in released["gates"]}) == len(passed)


def test_consumers_hear_of_each_ring_and_of_the_end_once(app: App, released: dict[str, Any]) -> None:
    heard = [each for each in app.published_events() if each.get("subject") == released["version_id"]]
    kinds = [each["type"] for each in heard]
    told = [kinds.count(f"Ringmaster.Release.{name}") for name in ("Started", "Qualified", "Published", "Released")]
    assert told == [1, 1, len(PUBLISHED), 1]


def test_a_scan_event_on_the_topic_reaches_the_gate_and_is_judged(app: App) -> None:
    image = version("scans", "2.0.0")
    app.publish(image, "critical-cve")
    app.awaiting_scan(image)
    tell(app, scanned(image, "critical-cve"))
    ended = app.settled(image)
    assert ended["state"] == "rejected"
    assert any("CVE-2021-44228" in reason for reason in ended["reasons"])


def test_whoever_has_not_the_topic_s_key_publishes_nothing(app: App) -> None:
    image = version("scans", "2.0.1")
    with pytest.raises(ClientAuthenticationError):
        tell(app, scanned(image, "clean"), key="d3Jvbmcga2V5IG9mIHRoZSB0b3BpYw==")
    assert app.kept_reports(image) == []


def test_a_machine_that_panics_is_rejected_with_its_console_and_deleted(app: App) -> None:
    image = version("scans", "0.1.0")
    app.publish(image, "panics-at-boot")
    ended = app.settled(image)
    assert ended["state"] == "rejected"
    assert any("kernel panic" in reason for reason in ended["reasons"])
    assert app.machinery() == []


def test_what_a_release_does_is_logged_in_short_lines_without_facts(app: App, released: dict[str, Any]) -> None:
    lines = [json.loads(line) for line in app.log().splitlines() if '"ringmaster.queues"' in line]
    told = [line["message"] for line in lines if "journey/1.0.0" in line["message"]]
    assert any("scan passed" in line for line in told)
    assert any("next step" in line for line in told)
    assert max(map(len, told)) < 600
    assert not any("facts" in line for line in told)


def test_no_log_of_any_service_tells_a_secret(app: App, released: dict[str, Any]) -> None:
    assert secrets_in(app.stack.log("host").parent, secrets_of(app.stack)) == []
