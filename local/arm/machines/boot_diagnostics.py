"""Boot diagnostics of managed storage: addresses that carry a signature and expire, and the blobs behind them.

Recorded in `test_vm_boot_diagnostics.yaml`: the addresses' form, and the 404 in XML with a byte-order mark that the
serial log answers until the machine has written something.
"""

import base64
import hashlib
import hmac
import struct
from datetime import UTC, datetime
from urllib.parse import quote

from local.arm.kernel.clock import iso_z
from local.arm.kernel.conventions import stable_guid
from local.arm.kernel.errors import ArmError, bad_parameter
from local.arm.kernel.messages import Reply
from local.arm.kernel.routing import Request, Routes
from local.arm.kernel.store import Resource
from local.arm.machines.machine import KIND, Machine, machine

routes = Routes()

_ONE = "/subscriptions/{sub}/resourceGroups/{rg}/providers/Microsoft.Compute/virtualMachines/{vm}"
_VERSION = "2018-03-28"
_DEFAULT_MINUTES, _MOST_MINUTES = 120, 1440
_LOG_LAG = 5.0
"""Seconds of Azure's time after power on until the serial log's blob exists."""


@routes.operation(
    "POST", _ONE + "/retrieveBootDiagnosticsData", name="VirtualMachines_RetrieveBootDiagnosticsData", bucket="GetVM"
)
def retrieve(request: Request) -> Reply:
    """Addresses of screenshot and serial log, valid for `sasUriExpirationTimeInMinutes` (1 to 1440; 120 by default)."""
    request.silent = True
    found = machine(request, request.scope)
    diagnostics = (found.resource.properties.get("diagnosticsProfile") or {}).get("bootDiagnostics") or {}
    if not diagnostics.get("enabled"):
        raise ArmError(
            409,
            "OperationNotAllowed",
            f"Boot diagnostics is not enabled on VM '{found.resource.name}'. Enable it to retrieve its data.",
        )
    expires = request.now + 60 * _minutes(request)
    return Reply(
        200,
        {
            "consoleScreenshotBlobUri": _address(request, found, "screenshot.bmp", expires),
            "serialConsoleLogBlobUri": _address(request, found, "serialconsole.log", expires),
        },
    )


def _minutes(request: Request) -> int:
    given = request.query.get("sasuriexpirationtimeinminutes", str(_DEFAULT_MINUTES))
    if not given.isdigit() or not 1 <= int(given) <= _MOST_MINUTES:
        raise bad_parameter(
            f"The value '{given}' of parameter 'sasUriExpirationTimeInMinutes' is invalid: it must be between 1 and "
            f"{_MOST_MINUTES}.",
            "sasUriExpirationTimeInMinutes",
        )
    return int(given)


def _address(request: Request, found: Machine, what: str, expires: float) -> str:
    end = f"{datetime.fromtimestamp(expires, UTC):%Y-%m-%dT%H:%M:%SZ}"
    path = f"{_container(found)}/{found.resource.name}.{found.vm_id}.{what}"
    signature = quote(_sign(request, path, end), safe="")
    return f"{request.base_url}/_blob/{path}?sv={_VERSION}&sr=b&sig={signature}&se={quote(end, safe='')}&sp=r"


def _container(found: Machine) -> str:
    return stable_guid(found.vm_id, "boot diagnostics")


def _sign(request: Request, path: str, end: str) -> str:
    secret = request.kernel.tokens.endpoint_secret.encode()
    digest = hmac.new(secret, f"{path}\n{_VERSION}\nb\nr\n{end}".lower().encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


@routes.operation("GET", "/_blob/{container}/{blob}", name="Blob_Get", public=True, api_version=False)
def get_blob(request: Request) -> Reply:
    """A blob by its signed address; errors in XML, as storage answers them."""
    request.silent = True
    path = f"{request.params['container']}/{request.params['blob']}"
    end = request.query.get("se", "")
    if not hmac.compare_digest(_sign(request, path, end), request.query.get("sig", "")):
        return _refuse(request, 403, "AuthenticationFailed", "Server failed to authenticate the request.")
    if f"{datetime.fromtimestamp(request.now, UTC):%Y-%m-%dT%H:%M:%SZ}" > end:
        return _refuse(request, 403, "AuthenticationFailed", "Signature not valid in the specified time frame.")
    found = _machine_of(request)
    content = _content(request, found) if found else b""
    if not content:
        return _refuse(request, 404, "BlobNotFound", "The specified blob does not exist.")
    return _send(request, content)


def _machine_of(request: Request) -> Machine | None:
    """The machine whose blob this is: its GUID is in the blob's name."""
    for resource in request.kernel.store.of_kind(KIND):
        found = Machine(resource)
        if f".{found.vm_id}." in request.params["blob"] and _container(found) == request.params["container"]:
            return found
    return None


def _content(request: Request, found: Machine) -> bytes:
    if found.power(request.now) is None:
        return b""
    lag = request.kernel.clock.scaled(_LOG_LAG)
    if not found.facts["boots"] and request.now < found.timeline.powered_on + lag:
        return b""
    if request.params["blob"].endswith(".screenshot.bmp"):
        return _screenshot(found.resource)
    return found.console(request.kernel, request.now)


def _screenshot(resource: Resource) -> bytes:
    """A dark 64 by 48 bitmap: no guest here draws on its screen."""
    width, height = 64, 48
    pixels = bytes((40, 12, 48)) * width * height
    header = struct.pack("<2sIHHI", b"BM", 54 + len(pixels), 0, 0, 54)
    return header + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, len(pixels), 2835, 2835, 0, 0) + pixels


def _send(request: Request, content: bytes) -> Reply:
    """The blob, or the range of it that was asked for."""
    headers = {
        "Accept-Ranges": "bytes",
        "x-ms-blob-type": "PageBlob",
        "x-ms-version": _VERSION,
        "ETag": f'"0x{hashlib.sha256(content).hexdigest()[:15].upper()}"',
        "Last-Modified": f"{datetime.fromtimestamp(request.now, UTC):%a, %d %b %Y %H:%M:%S GMT}",
    }
    wanted = request.headers.get("x-ms-range") or request.headers.get("Range") or ""
    unit, _, span = wanted.partition("=")
    first, _, last = span.partition("-")
    if unit.strip().lower() != "bytes" or not (first or last).isdigit():
        return Reply(200, content, headers, "application/octet-stream")
    start = int(first) if first else max(0, len(content) - int(last))
    stop = min(int(last), len(content) - 1) if first and last else len(content) - 1
    if start >= len(content):
        return _refuse(
            request, 416, "InvalidRange", "The range specified is invalid for the current size of the resource."
        )
    headers["Content-Range"] = f"bytes {start}-{stop}/{len(content)}"
    return Reply(206, content[start : stop + 1], headers, "application/octet-stream")


def _refuse(request: Request, status: int, code: str, message: str) -> Reply:
    text = (
        f'\ufeff<?xml version="1.0" encoding="utf-8"?>\n<Error><Code>{code}</Code><Message>{message}\n'
        f"RequestId:{stable_guid(request.correlation_id, str(request.now))}\n"
        f"Time:{iso_z(request.now)}</Message></Error>"
    )
    return Reply(status, text.encode(), {"x-ms-error-code": code}, "application/xml")
