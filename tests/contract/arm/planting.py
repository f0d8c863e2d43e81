"""What must be there before a recorded session can be played: subscriptions, groups, and what others had made."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from local.arm import world
from local.arm.kernel import ids, regions
from local.arm.kernel.kernel import Kernel
from tests.contract.arm.recordings import Exchange, Session

HOME: Final = "westus"
_GROUP: Final = re.compile(r"/subscriptions/([^/]+)/resourcegroups/([^/]+)", re.IGNORECASE)
_PLANTED: Final = (
    "microsoft.compute/disks",
    "microsoft.compute/snapshots",
    "microsoft.compute/images",
    "microsoft.compute/galleries",
    "microsoft.compute/galleries/images",
    "microsoft.compute/galleries/images/versions",
    "microsoft.storage/storageaccounts",
    "microsoft.network/virtualnetworks",
    "microsoft.network/virtualnetworks/subnets",
    "microsoft.network/networkinterfaces",
    "microsoft.network/publicipaddresses",
    "microsoft.network/networksecuritygroups",
)
"""Types that can be planted, those that others need first."""


def plant(kernel: Kernel, session: Session) -> None:
    """Fill a simulator with what a session presupposes."""
    groups = dict(_groups(session))
    subscriptions = sorted({key.split("/")[2] for key in groups} | set(_subscriptions(session)))
    world.seed(
        kernel,
        {
            "subscriptions": [{"id": one} for one in subscriptions],
            "resource_groups": [
                {"id": key, "location": place, "tags": _tags(session, key)} for key, place in groups.items()
            ],
        },
    )
    for one in sorted(_missing(session, groups), key=_order):
        world.seed(kernel, {"resources": [one]})


def _tags(session: Session, group: str) -> dict[str, str] | None:
    looks = (one for one in session.exchanges if one.path.lower() == group.lower() and one.method == "GET")
    found = next((one for one in looks if one.status == 200), None)
    return found.answer.get("tags") if found else None


def _subscriptions(session: Session) -> Iterator[str]:
    for exchange in session.exchanges:
        yield exchange.path.split("/")[2].lower()


def _groups(session: Session) -> Iterator[tuple[str, str]]:
    """Resource groups that are used and not made by the session, with their regions."""
    spelled: dict[str, str] = {}
    places: dict[str, str] = {}
    made: set[str] = set()
    for exchange in session.exchanges:
        for text in (exchange.path, *_strings(exchange.body), *_strings(exchange.answer)):
            for subscription, group in _GROUP.findall(text.split("?")[0]):
                spelled.setdefault(f"{subscription}/{group}".lower(), f"{subscription.lower()}/resourceGroups/{group}")
        found = _GROUP.fullmatch(exchange.path)
        place = _place(exchange)
        code = exchange.answer.get("error", {}).get("code") if exchange.status == 404 and exchange.answer else None
        if (found and exchange.method == "PUT") or code == "ResourceGroupNotFound":
            found = found or _GROUP.match(exchange.path)
            assert found is not None
            made.add(f"{found[1]}/{found[2]}".lower())
        elif place and (owner := _GROUP.match(exchange.path)):
            key = f"{owner[1]}/{owner[2]}".lower()
            places[key] = place if found else places.get(key, place)
    for key, name in spelled.items():
        if key not in made:
            yield f"/subscriptions/{name}", places.get(key, HOME)


def _place(exchange: Exchange) -> str | None:
    for given in (exchange.answer, exchange.body):
        if isinstance(given, dict) and isinstance(given.get("location"), str) and regions.is_known(given["location"]):
            return regions.short(given["location"])
    return None


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _strings(part)
    elif isinstance(value, list):
        for part in value:
            yield from _strings(part)


def _missing(session: Session, groups: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Resources that the session refers to and did not make: as it saw them, else bare ones of their type."""
    made = {key.lower() for key in _made(session)} - set(_there_before(session))
    seen: dict[str, dict[str, Any]] = {}
    for exchange in session.exchanges:
        if exchange.method == "GET" and exchange.status == 200 and isinstance(exchange.answer, dict):
            seen.setdefault(exchange.path.lower(), exchange.answer)
    wanted: dict[str, str] = {}
    for key in _referenced(session):
        parsed = ids.parse(key)
        while parsed is not None and parsed.kind.lower() in _PLANTED:
            wanted.setdefault(str(parsed).lower(), str(parsed))
            parsed = parsed.parent
    for lowered, key in wanted.items():
        in_known_group = any(lowered.startswith(f"{group.lower()}/") for group in groups)
        if in_known_group and lowered not in made and not _gone(session, lowered):
            yield _planted(key, seen.get(lowered), groups)


def _there_before(session: Session) -> Iterator[str]:
    """What the session's first request writes and ARM answers as a change: somebody had made it."""
    met: set[str] = set()
    for exchange in session.exchanges:
        path = exchange.path.lower()
        if path not in met and exchange.method == "PUT" and exchange.status == 200 and "/galleries/" in path:
            yield path
        met.add(path)


def _referenced(session: Session) -> Iterator[str]:
    for exchange in session.exchanges:
        if exchange.method in {"PUT", "PATCH"}:
            yield from (text for text in _strings(exchange.body) if text.lower().startswith("/subscriptions/"))
        if exchange.method in {"PATCH", "GET", "PUT"} and exchange.status == 200:
            yield exchange.path


def _gone(session: Session, key: str) -> bool:
    """Whether the session's first look at a resource finds nothing."""
    looks = (one.status for one in session.exchanges if one.path.lower() == key and one.method == "GET")
    return next(looks, 200) == 404


def _made(session: Session) -> Iterator[str]:
    """What the session makes itself: by PUT, by a template, or along with a machine."""
    for exchange in session.exchanges:
        if exchange.method != "PUT" or exchange.status >= 300:
            continue
        yield exchange.path
        body = exchange.body if isinstance(exchange.body, dict) else {}
        group = exchange.path.split("/providers/")[0]
        yield from _nested(exchange.path, body)
        template = (body.get("properties") or {}).get("template") if isinstance(body.get("properties"), dict) else None
        for one in (template or {}).get("resources", []):
            name = f"{group}/providers/{one['type']}/{one['name']}"
            yield name
            yield from _nested(name, one)


def _nested(path: str, body: dict[str, Any]) -> Iterator[str]:
    properties = body.get("properties")
    if not isinstance(properties, dict):
        return
    for subnet in properties.get("subnets") or []:
        yield f"{path}/subnets/{subnet['name']}"
    group = path.split("/providers/")[0]
    storage = properties.get("storageProfile") or {}
    for disk in (storage.get("osDisk") or {}, *(storage.get("dataDisks") or [])):
        if disk.get("name") and disk.get("createOption") != "Attach":
            yield f"{group}/providers/Microsoft.Compute/disks/{disk['name']}"


def _planted(key: str, seen: dict[str, Any] | None, groups: dict[str, str]) -> dict[str, Any]:
    group = key.split("/providers/")[0].lower()
    place = next((place for name, place in groups.items() if name.lower() == group), HOME)
    found = {"id": key, "location": place}
    if seen is None:
        return found
    for name in ("location", "properties", "tags", "sku", "zones"):
        if name in seen:
            found[name] = seen[name]
    return found


def _order(one: dict[str, Any]) -> tuple[int, str]:
    parsed = ids.parse(one["id"])
    assert parsed is not None
    return _PLANTED.index(parsed.kind.lower()), one["id"]
