"""Errors in ARM's envelope `{"error": {"code", "message", "target", "details"}}`."""

from collections.abc import Sequence
from typing import Any


class ArmError(Exception):
    """An answer of ARM that refuses a request, or the failure of a long-running operation."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        target: str | None = None,
        details: Sequence[dict[str, Any]] = (),
        headers: dict[str, str] | None = None,
        extra: dict[str, Any] | None = None,
    ) -> None:
        """`status` is the HTTP status when it answers a request; `extra` joins the error object (e.g. `innererror`)."""
        super().__init__(f"{code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.target = target
        self.details = list(details)
        self.headers = headers or {}
        self.extra = extra or {}

    def error(self) -> dict[str, Any]:
        """The error object, without its envelope, as operations report it."""
        found: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.target is not None:
            found["target"] = self.target
        if self.details:
            found["details"] = self.details
        return found | self.extra

    def document(self) -> dict[str, Any]:
        """For the store; `ArmError(**document)` is the same error, without headers."""
        return {
            "status": self.status,
            "code": self.code,
            "message": self.message,
            "target": self.target,
            "details": self.details,
            "extra": self.extra,
        }

    def body(self) -> dict[str, Any]:
        """The response body."""
        return {"error": self.error()}


def bad_parameter(message: str, target: str | None = None) -> ArmError:
    """400 InvalidParameter: a value that the resource provider refuses."""
    return ArmError(400, "InvalidParameter", message, target=target)


def conflict(message: str, target: str | None = None) -> ArmError:
    """409 Conflict with ARM's commonest code for it."""
    return ArmError(409, "Conflict", message, target=target)


def resource_not_found(kind: str, names: str, group: str) -> ArmError:
    """404 for a resource; the text is recorded (`test_gallery_image_version_vhd.yaml` and others)."""
    return ArmError(
        404,
        "ResourceNotFound",
        f"The Resource '{kind.split('/')[0]}/{_interleave(kind, names)}' under resource group '{group}' was not found. "
        "For more details please go to https://aka.ms/ARMResourceNotFoundFix",
    )


def _interleave(kind: str, names: str) -> str:
    types, values = kind.split("/")[1:], names.split("/")
    return "/".join(f"{a}/{b}" for a, b in zip(types, values, strict=True))


def parent_not_found(kind: str, parent_id: str, verb: str) -> ArmError:
    """404 for a nested resource without its parent; the text is recorded (`test_serialconsole` recordings)."""
    return ArmError(
        404,
        "ParentResourceNotFound",
        f"Failed to perform '{verb}' on resource(s) of type '{kind.split('/', 1)[1]}', because the parent resource "
        f"'{parent_id}' could not be found.",
    )


def group_not_found(name: str) -> ArmError:
    """404 for a resource group; the text is recorded."""
    return ArmError(404, "ResourceGroupNotFound", f"Resource group '{name}' could not be found.")


def subscription_not_found(subscription: str) -> ArmError:
    """404 for a subscription."""
    return ArmError(404, "SubscriptionNotFound", f"The subscription '{subscription}' could not be found.")
