"""The app as the outside world meets it: Event Grid, scanners, builders, people, and whoever reaches its queues."""

import contextlib
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import requests
from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import ContainerClient
from azure.storage.queue import QueueClient

from local.arm.kernel.tokens import identity
from local.scanner.signing import headers_for
from local.stack import Stack
from shared.domain.image import VersionId
from tests.e2e.scene import GALLERY, IMAGES, TEST_GROUP, report

PATIENCE = 120.0
"""Seconds of real time after which something that should have happened has not."""
_LOOK_EVERY = 0.3
_API = "2024-03-03"
_MACHINERY = ("virtualmachines", "disks", "networkinterfaces")


class App:
    """Speaks to the app of a running stack."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.environment = stack.environment
        self._session = requests.Session()
        self._session.trust_env = False

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    # --- Event Grid ---------------------------------------------------------------------------------------------------

    def event_grid(
        self,
        body: Any,
        function: str = "on_image_version_written",
        *,
        kind: str = "Notification",
        key: str | None = None,
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Call the webhook as Event Grid does; bytes are sent as they are, anything else as JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self._session.request(
            method,
            f"{self.environment['RINGMASTER_URL']}/runtime/webhooks/eventgrid",
            params={"functionName": function, "code": key or self.stack.plan.event_grid_key()},
            data=data,
            headers={"aeg-event-type": kind, "content-type": "application/json", **(headers or {})},
            timeout=30,
        )

    def published_events(self) -> list[dict[str, Any]]:
        """The latest events on the custom topic."""
        url = f"{self.environment['EVENTGRID_CONTROL_URL']}/events"
        found = self._session.get(url, params={"topic": "custom"}, timeout=30).json()["events"]
        return [each["event"] for each in found]

    # --- scanners -----------------------------------------------------------------------------------------------------

    def scan(
        self,
        image: VersionId | str | None,
        body: bytes,
        *,
        format: str = "trivy",  # noqa: A002 - the word of the route
        at: float | None = None,
        key: str | None = None,
        headers: Mapping[str, str | None] | None = None,
    ) -> requests.Response:
        """Post a signed report; ``headers`` replace those of the signature, None takes one away."""
        secret = (key or self.environment["RINGMASTER_WEBHOOK_KEY"]).encode()
        signed = headers_for(secret, int(time.time() if at is None else at), body)
        wanted = {**signed, **(headers or {})}
        return self._session.post(
            f"{self.environment['RINGMASTER_URL']}/api/scans/{format}",
            params=None if image is None else {"image": str(image)},
            data=body,
            headers={name: text for name, text in wanted.items() if text is not None},
            timeout=30,
        )

    def kept_reports(self, image: VersionId) -> list[str]:
        """The blobs of the report store that belong to a version."""
        with ContainerClient.from_connection_string(
            self.environment["AZURE_STORAGE_CONNECTION_STRING"], "ringmaster-reports"
        ) as container:
            if not container.exists():
                return []
            folder = f"{image.definition.name}/{image.number}/"
            return [name for name in container.list_blob_names() if folder in name]

    # --- people -------------------------------------------------------------------------------------------------------

    def ask(
        self, path: str = "/api/releases", *, key: str | None = None, method: str = "GET", **params: str
    ) -> requests.Response:
        """Ask a route of people's; an empty key is none."""
        given = self.environment["RINGMASTER_KEY"] if key is None else key
        headers = {"x-functions-key": given} if given else {}
        url = f"{self.environment['RINGMASTER_URL']}{path}"
        return self._session.request(method, url, params=params, headers=headers, timeout=30)

    def act(
        self,
        who: str | None,
        image: VersionId,
        action: str,
        *,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> requests.Response:
        """Ask for an action with the token of one of the people, or of nobody; ``key`` is the idempotency key."""
        token = {} if who is None else {"authorization": f"Bearer {self.token(who)}"}
        usual = {"idempotency-key": key or uuid.uuid4().hex, **token}
        return self._session.post(
            f"{self.environment['RINGMASTER_URL']}/api/releases/actions",
            json={"version": str(image), "action": action, **more},
            headers={**usual, **(headers or {})},
            timeout=30,
        )

    def token(self, who: str) -> str:
        """The token of one of the people, by role."""
        return self.stack.plan.tokens()[f"{who}@example.com"]

    def ringmaster(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """The command line, as its users start it."""
        told = {name: self.environment[name] for name in ("RINGMASTER_URL", "RINGMASTER_KEY")}
        root = Path(__file__).parents[2]
        return subprocess.run(
            [Path(sys.executable).with_name("ringmaster"), *words],
            cwd=root,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(root), **told, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def overview(self) -> dict[str, Any]:
        """Every release in short, and the dead letters."""
        answer = self.ask()
        assert answer.status_code == 200, answer.text
        return answer.json()

    def release(self, image: VersionId) -> dict[str, Any] | None:
        """All about one release, or None."""
        answer = self.ask(version=str(image))
        assert answer.status_code in (200, 404), answer.text
        return answer.json() if answer.status_code == 200 else None

    def settled(self, image: VersionId, seconds: float = PATIENCE) -> dict[str, Any]:
        """The release once it has ended and nothing is left to do."""
        return self.until(lambda: _if(self.release(image), "settled"), f"{image.short} has ended", seconds)

    def awaiting_scan(self, image: VersionId) -> dict[str, Any]:
        """The release once it waits for its scan and for nothing else."""

        def waits() -> dict[str, Any] | None:
            found = self.release(image)
            return found if found and [one["what"] for one in found["waiting_for"]] == ["scan"] else None

        return self.until(waits, f"{image.short} waits for its scan")

    def until[T](self, look: Callable[[], T | None], what: str, seconds: float = PATIENCE) -> T:
        """What ``look`` finds as soon as it finds something; fails with the end of the host's log."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = look()
            if found:
                return found
            time.sleep(_LOOK_EVERY)
        raise AssertionError(f"not within {seconds:.0f} s: {what}\n{self.said()}")

    def said(self) -> str:
        """The last that the app itself has logged, and what its host complained of."""
        lines = [line for line in self.log().splitlines() if '"ringmaster.' in line or '"level": "info"' not in line]
        return "\n".join(lines[-40:])

    def log(self, service: str = "host") -> str:
        """What a service has logged."""
        return self.stack.log(service).read_text(encoding="utf-8", errors="replace")

    # --- builders and ARM ---------------------------------------------------------------------------------------------

    def publish(self, image: VersionId, character: str = "clean") -> None:
        """Build a version from the image of this character, hidden from ``latest``."""
        definition, number = image.definition.name, image.number
        profile = {"excludeFromLatest": True, "targetRegions": [{"name": "westeurope", "regionalReplicaCount": 1}]}
        body = {
            "location": "westeurope",
            "properties": {
                "publishingProfile": profile,
                "storageProfile": {"source": {"id": f"{IMAGES}/img-{character}"}},
            },
        }
        answer = self._arm("PUT", f"{GALLERY}/images/{definition}/versions/{number}", body)
        assert answer.status_code in (200, 201), answer.text

    def machinery(self) -> list[str]:
        """Machines, disks and NICs that exist in the test resource group."""
        answer = self._session.get(f"{self.environment['ARM_ENDPOINT']}/_sim/state", verify=self._bundle, timeout=30)
        group = f"{TEST_GROUP}/".lower()
        found = [one.lower() for kind in answer.json()["resources"].values() for one in kind]
        return [one for one in found if one.startswith(group) and any(f"/{kind}/" in one for kind in _MACHINERY)]

    @contextlib.contextmanager
    def arm_faults(self, rules: list[dict[str, Any]]) -> Iterator[None]:
        """These faults befall ARM meanwhile."""
        url = f"{self.environment['ARM_ENDPOINT']}/_sim/faults"
        answer = self._session.post(url, json=rules, verify=self._bundle, timeout=30)
        assert answer.status_code == 200, answer.text
        try:
            yield
        finally:
            self._session.post(url, json=[], verify=self._bundle, timeout=30).raise_for_status()

    def _arm(self, method: str, path: str, body: Any = None) -> requests.Response:
        token = self._session.get(
            self.environment["IDENTITY_ENDPOINT"],
            params={
                "resource": self.environment["ARM_ENDPOINT"],
                "api-version": "2019-08-01",
                "client_id": identity("image-builder").client_id,
            },
            headers={"X-IDENTITY-HEADER": self.environment["IDENTITY_HEADER"]},
            verify=self._bundle,
            timeout=30,
        ).json()["access_token"]
        return self._session.request(
            method,
            f"{self.environment['ARM_ENDPOINT']}{path}",
            params={"api-version": _API},
            json=body,
            headers={"authorization": f"Bearer {token}"},
            verify=self._bundle,
            timeout=30,
        )

    @property
    def _bundle(self) -> str:
        return self.environment["SSL_CERT_FILE"]

    # --- queues -------------------------------------------------------------------------------------------------------

    def send(self, queue: str, text: str) -> None:
        """Put a message into a queue as it is, as whoever has the account's key can."""
        account = self.environment["AZURE_STORAGE_CONNECTION_STRING"]
        with QueueClient.from_connection_string(account, queue) as client:
            with contextlib.suppress(ResourceExistsError):
                client.create_queue()
            client.send_message(text)

    # --- all of it ----------------------------------------------------------------------------------------------------

    def released(self, image: VersionId) -> dict[str, Any]:
        """Take a clean version from its build to its end."""
        self.publish(image)
        self.awaiting_scan(image)
        answer = self.scan(image, report(image))
        assert answer.status_code == 202, answer.text
        return self.settled(image)


def _if(found: dict[str, Any] | None, field: str) -> dict[str, Any] | None:
    return found if found and found[field] else None
