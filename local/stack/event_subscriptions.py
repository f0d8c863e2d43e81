"""Creates the same event subscriptions in the local Event Grid as the deployment creates in Azure."""

import json
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import quote

from local.stack.options import StackError
from local.stack.services import HOST, Plan

_VERSION_WRITE = "Microsoft.Compute/galleries/images/versions/write"
_VERSIONS = {
    "includedEventTypes": ["Microsoft.Resources.ResourceWriteSuccess"],
    "advancedFilters": [{"operatorType": "StringIn", "key": "data.operationName", "values": [_VERSION_WRITE]}],
}
_SCANS = {"includedEventTypes": ["Ringmaster.ScanFinished"]}
_REQUESTS = {"includedEventTypes": ["Ringmaster.ScanRequested"]}


def subscribe(plan: Plan) -> None:
    """Create or update all event subscriptions. Raises StackError if an endpoint fails its handshake."""
    _put(
        plan,
        "arm",
        "image-versions",
        _function(plan, "on_image_version_written"),
        schema="EventGridSchema",
        chosen=_VERSIONS,
    )
    _put(plan, "custom", "scans", _function(plan, "on_scan_completed"), schema="CloudEventSchemaV1_0", chosen=_SCANS)
    if plan.options.scanner:
        url = f"http://{HOST}:{plan.record.ports['scanner']}/events"
        _put(plan, "arm", "scanner", url, schema="EventGridSchema", chosen=_VERSIONS)
        _put(plan, "custom", "scan-requests", url, schema="CloudEventSchemaV1_0", chosen=_REQUESTS)
        return
    for topic, name in (("arm", "scanner"), ("custom", "scan-requests")):
        # An earlier run with a scanner may have left a subscription, whose events would be retried for a day.
        _send("DELETE", f"{plan.control_url}/topics/{topic}/eventSubscriptions/{name}", name, None)


def _function(plan: Plan, name: str) -> str:
    key = quote(plan.event_grid_key(), safe="")
    return f"{plan.ringmaster_url}/runtime/webhooks/eventgrid?functionName={name}&code={key}"


def _put(plan: Plan, topic: str, name: str, url: str, *, schema: str, chosen: dict[str, Any]) -> None:
    properties = {
        "destination": {"endpointType": "WebHook", "properties": {"endpointUrl": url}},
        "eventDeliverySchema": schema,
        "filter": chosen,
        "deadLetterDestination": {"endpointType": "StorageBlob"},
    }
    _send("PUT", f"{plan.control_url}/topics/{topic}/eventSubscriptions/{name}", name, {"properties": properties})


def _send(method: str, address: str, name: str, document: dict[str, Any] | None) -> None:
    request = urllib.request.Request(  # noqa: S310 - the address is our own
        address,
        data=None if document is None else json.dumps(document).encode(),
        method=method,
        headers={"Content-Type": "application/json"},
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=60):
            return
    except urllib.error.HTTPError as error:
        text = error.read().decode(errors="replace")
        raise StackError(f"Event Grid rejects {method} for the subscription {name}: {text}") from error
    except OSError as error:
        raise StackError(f"Event Grid at {address} cannot be reached: {error}") from error
