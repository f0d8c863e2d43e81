"""Token buckets as Compute and ARM document and report them.

Sources: azure-compute-docs `compute-throttling-limits.md` (per VM and per subscription and region, capacity is three
minutes' refill), Azure's `request-limits-and-throttling` (ARM, per principal), and for the gallery, whose limits are
not published, the largest figures seen in recorded `x-ms-ratelimit-remaining-resource` headers. Buckets refill in
Azure's time, so that a faster simulator does not throttle what Azure would not.
"""

import json
import math
from dataclasses import dataclass, field
from typing import Any

from local.arm.kernel.clock import Clock, iso
from local.arm.kernel.errors import ArmError
from local.arm.kernel.messages import RoutedRequest


@dataclass(frozen=True, slots=True)
class Limit:
    """`capacity` calls at once, refilled over `window` seconds; per resource or per subscription."""

    name: str
    capacity: int
    window: float
    per_resource: bool = False


def _windows(name: str, three: int, thirty: int) -> tuple[Limit, ...]:
    return Limit(f"{name}3Min", three, 180), Limit(f"{name}30Min", thirty, 1800)


def _machine(name: str, resource: int, subscription: int) -> tuple[Limit, ...]:
    return (
        Limit(f"{name}SubscriptionMaximum", subscription, 180),
        Limit(f"{name}Resource", resource, 180, per_resource=True),
    )


POLICIES: dict[str, tuple[Limit, ...]] = {
    "CreateUpdateGallery": _windows("CreateUpdateGallery", 50, 300),
    "CreateUpdateGalleryImage": _windows("CreateUpdateGalleryImage", 150, 750),
    "CreateUpdateGalleryImageVersion": _windows("CreateUpdateGalleryImageVersion", 375, 1200),
    "DeleteGallery": _windows("DeleteGallery", 50, 300),
    "DeleteGalleryImage": _windows("DeleteGalleryImage", 50, 300),
    "DeleteGalleryImageVersion": _windows("DeleteGalleryImageVersion", 150, 1000),
    "GetGallery": _windows("GetGallery", 350, 2500),
    "GetGalleryImage": _windows("GetGalleryImage", 600, 3000),
    "GetGalleryImageVersion": _windows("GetGalleryImageVersion", 2000, 10000),
    "ListGalleryImagesInGallery": _windows("ListGalleryImagesInGallery", 1500, 10000),
    "ListGalleryImageVersionsInGalleryImage": _windows("ListGalleryImageVersionsInGalleryImage", 1500, 10000),
    "ListGalleryInResourceGroup": _windows("ListGalleryInResourceGroup", 100, 1000),
    "GetOperationStatus": _windows("GetOperationStatus", 5000, 15000),
    "GetOperation": _machine("GetOperation", 45, 15000),
    "GetDiskOperation": _windows("GetOperation", 50000, 400000),
    "CreateImages": _windows("CreateImages", 40, 200),
    "DeleteImages": _windows("DeleteImages", 120, 600),
    "GetImages": _windows("GetImages", 360, 1800),
    "PutVM": _machine("PutVM", 12, 1500),
    "UpdateVM": _machine("UpdateVM", 12, 1500),
    "DeleteVM": _machine("DeleteVM", 12, 1500),
    "GetVM": _machine("LowCostGet", 36, 24000),
    "HighCostGet": (Limit("HighCostGetSubscriptionMaximum", 900, 180),),
    "LowCostGet": _windows("LowCostGet", 15000, 120000),
    "CreateUpdateDisks": _windows("CreateUpdateDisks", 3000, 25000),
    "DeleteDisks": _windows("DeleteDisks", 3000, 24000),
    "HighCostDiskHydrate": _windows("HighCostDiskHydrate", 1000, 8000),
    "CreateVMScaleSet": _windows("CreateVMScaleSet", 375, 1500),
    "DeleteVMScaleSet": _windows("DeleteVMScaleSet", 80, 400),
    "GetVMScaleSet": _windows("GetVMScaleSet", 400, 2600),
    "HighCostGetVMScaleSet": _windows("HighCostGetVMScaleSet", 180, 900),
    "VMScaleSetVMViews": (Limit("VMScaleSetVMViews3Min", 5000, 180),),
    "GetSubscriptionInfo": (Limit("GetSubscriptionInfo3Min", 360, 180),),
}

_ARM = {  # capacity and refill a second, per subscription and principal
    "reads": Limit("reads", 250, 10),
    "writes": Limit("writes", 200, 20),
    "deletes": Limit("deletes", 200, 20),
}
_ARM_KIND = {"GET": "reads", "HEAD": "reads", "DELETE": "deletes"}


@dataclass(slots=True)
class _Bucket:
    level: float
    at: float


@dataclass(slots=True)
class Throttle:
    """All buckets, in memory: a restart fills them, as a failover of the real service may."""

    clock: Clock
    _buckets: dict[tuple[str, str], _Bucket] = field(default_factory=dict)

    def admit(self, request: RoutedRequest) -> dict[str, str]:
        """Take one token of every bucket that the request falls under; answers the headers that say what is left.

        Raises ArmError 429 in Compute's or ARM's form, with `Retry-After`, when one is empty.
        """
        headers = self._admit_arm(request)
        left: list[str] = []
        for limit in POLICIES[request.route.bucket] if request.route.bucket else ():
            scope = _resource(request.path) if limit.per_resource else request.params.get("sub", "")
            level, wait = self._take(limit, scope, request.now)
            if wait:
                raise compute_throttled(limit, request.now, self.clock.retry_after(wait * self.clock.speed))
            left.append(f"Microsoft.Compute/{limit.name};{level}")
        if left:
            headers["x-ms-ratelimit-remaining-resource"] = ",".join(left)
        return headers

    def _admit_arm(self, request: RoutedRequest) -> dict[str, str]:
        kind = _ARM_KIND.get(request.method, "writes")
        scope = f"{request.params.get('sub', '')}/{request.caller.object_id}"
        level, wait = self._take(_ARM[kind], scope, request.now)
        if wait:
            raise subscription_throttled(kind, request, math.ceil(wait))
        return {
            f"x-ms-ratelimit-remaining-{'subscription' if 'sub' in request.params else 'tenant'}-{kind}": str(level)
        }

    def _take(self, limit: Limit, scope: str, now: float) -> tuple[int, float]:
        key = (limit.name, scope.lower())
        bucket = self._buckets.setdefault(key, _Bucket(limit.capacity, now))
        rate = limit.capacity / limit.window * self.clock.speed
        bucket.level = min(limit.capacity, bucket.level + max(now - bucket.at, 0) * rate)
        bucket.at = now
        if bucket.level < 1:
            return 0, (1 - bucket.level) / rate
        bucket.level -= 1
        return int(bucket.level), 0


def compute_throttled(limit: Limit, now: float, retry_after: int | None) -> ArmError:
    """Compute's 429: code `OperationNotAllowed`, its detail `TooManyRequests` with JSON inside (terraform
    azurerm#19146).
    """
    inner: dict[str, Any] = {
        "operationGroup": limit.name,
        "startTime": iso(now - limit.window),
        "endTime": iso(now),
        "allowedRequestCount": limit.capacity,
        "measuredRequestCount": limit.capacity + 1,
    }
    return ArmError(
        429,
        "OperationNotAllowed",
        "The server rejected the request because too many requests have been received for this subscription.",
        details=[{"code": "TooManyRequests", "target": limit.name, "message": json.dumps(inner)}],
        extra={"innererror": {"internalErrorCode": "TooManyRequestsReceived"}},
        headers={} if retry_after is None else {"Retry-After": str(retry_after)},
    )


def subscription_throttled(kind: str, request: RoutedRequest, retry_after: int) -> ArmError:
    """ARM's own 429 when a subscription's reads, writes or deletes are used up."""
    return ArmError(
        429,
        "SubscriptionRequestsThrottled",
        f"Number of '{kind}' requests for subscription '{request.params.get('sub', '')}' actor "
        f"'{request.caller.object_id}' exceeded. Please try again after '{retry_after}' seconds after additional "
        "tokens are available. Refer to https://aka.ms/arm-throttling for additional information.",
        headers={"Retry-After": str(retry_after)},
    )


def _resource(path: str) -> str:
    """The machine (or operation) that a path is about, without actions and nested resources."""
    return "/".join(path.split("/")[:9])
