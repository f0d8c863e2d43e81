"""Names of galleries, image definitions and image versions.

Rules:

* Resource ids are compared without regard to case. Azure answers with other casing than it was asked with
  (``resourcegroups``, ``Galleries``), so ids are kept here in one canonical, lower-case form.
* A version number is three integers in the 32-bit range, ordered by major, minor, patch; that order decides ``latest``.
  Azure takes leading zeros (calendar numbers such as ``202309.06.0``) and keeps them in the name: so does Ringmaster.
* A resource group's name may have letters of any script ("Naming rules and restrictions for Azure resources").
* Regions have a short name (``westus2``) and a display name (``West US 2``); ARM answers with either. Only the short
  form is kept.

This module does not know whether a thing exists.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_NUMBER: Final = re.compile(r"([0-9]{1,13})\.([0-9]{1,13})\.([0-9]{1,13})")
_LARGEST: Final = 2**31 - 1
_VERSION_ID: Final = re.compile(
    r"/subscriptions/(?P<subscription>[0-9a-f-]{36})"
    r"/resourcegroups/(?P<group>[-\w.()]{1,90})"
    r"/providers/microsoft\.compute"
    r"/galleries/(?P<gallery>[0-9a-z_.]{1,80})"
    r"(?:/images/(?P<definition>[-0-9a-z_.]{1,80})"
    r"(?:/versions/(?P<number>[0-9.]{1,41}))?)?/?",
    re.IGNORECASE,
)
_LOCATION_SEGMENT: Final = re.compile(r"/locations/[^/]+(?=/galleries/)", re.IGNORECASE)


class InvalidId(ValueError):
    """A resource id that is not what it should be; the text says which, and what was expected."""


def region_name(text: str) -> str:
    """The short name of a region: ``West US 2`` and ``westus2`` are one place."""
    return re.sub(r"[\s-]", "", text).lower()


def region_names(texts: Iterable[str]) -> tuple[str, ...]:
    """The short names of regions, each once, in the order given."""
    return tuple(dict.fromkeys(map(region_name, texts)))


@dataclass(frozen=True, order=True, slots=True)
class VersionNumber:
    """``Major.Minor.Patch``. Ordered as ARM orders versions when it looks for the latest: by the three integers.

    >>> str(VersionNumber.parse("202309.06.0"))
    '202309.06.0'
    >>> VersionNumber.parse("202309.06.0") < VersionNumber.parse("202309.10.0")
    True
    """

    major: int
    minor: int
    patch: int
    spelling: str = ""
    """The name in ARM where it is not the usual one, that is, where it has leading zeros. It names another resource."""

    @classmethod
    def parse(cls, text: str) -> VersionNumber:
        """Read a number. Raises InvalidId when it isn't three integers in the 32-bit range."""
        match = _NUMBER.fullmatch(text)
        parts = [int(part) for part in match.groups()] if match else []
        if not parts or max(parts) > _LARGEST:
            raise InvalidId(f"{text!r} is not a version number: Major.Minor.Patch, three integers up to {_LARGEST}")
        major, minor, patch = parts
        number = cls(major, minor, patch)
        return number if str(number) == text else cls(major, minor, patch, text)

    def __str__(self) -> str:
        return self.spelling or f"{self.major}.{self.minor}.{self.patch}"

    @property
    def sort_key(self) -> str:
        """Text that sorts as the number does, another one for each spelling."""
        spelled = f"={self.spelling}" if self.spelling else ""
        return f"{self.major:010d}.{self.minor:010d}.{self.patch:010d}{spelled}"


@dataclass(frozen=True, order=True, slots=True)
class GalleryId:
    """A compute gallery."""

    subscription: str
    resource_group: str
    name: str

    def __str__(self) -> str:
        return (
            f"/subscriptions/{self.subscription}/resourcegroups/{self.resource_group}"
            f"/providers/microsoft.compute/galleries/{self.name}"
        )

    @classmethod
    def parse(cls, text: str) -> GalleryId:
        """Read a gallery's id in any casing. Raises InvalidId."""
        gallery, definition, _ = _parts(text, "a gallery id")
        if definition is not None:
            raise InvalidId(f"{_shown(text)} names more than a gallery")
        return gallery


@dataclass(frozen=True, order=True, slots=True)
class DefinitionId:
    """An image definition in a gallery."""

    gallery: GalleryId
    name: str

    def __hash__(self) -> int:
        return hash((self.gallery.name, self.name))

    def __str__(self) -> str:
        return f"{self.gallery}/images/{self.name}"

    @classmethod
    def parse(cls, text: str) -> DefinitionId:
        """Read an image definition's id in any casing. Raises InvalidId."""
        gallery, definition, number = _parts(text, "an image definition id")
        if definition is None or number is not None:
            raise InvalidId(f"{_shown(text)} is not an image definition id: …/galleries/G/images/D is expected")
        return cls(gallery, definition)

    def version(self, number: VersionNumber) -> VersionId:
        """The id of one version of this definition."""
        return VersionId(self, number)


@dataclass(frozen=True, order=True, slots=True)
class VersionId:
    """An image version. Says nothing of its incarnation: a number can be deleted and used again."""

    definition: DefinitionId
    number: VersionNumber

    def __hash__(self) -> int:
        # Ids are the keys of most mappings; the galleries of one app differ too little to be worth hashing each time.
        return hash((self.definition.name, self.number.major, self.number.minor, self.number.patch))

    def __str__(self) -> str:
        return f"{self.definition}/versions/{self.number}"

    @classmethod
    def parse(cls, text: str) -> VersionId:
        """Read an image version's id in any casing. Raises InvalidId."""
        return _version(text)

    @property
    def short(self) -> str:
        """``gallery/definition/1.2.3``, for people."""
        return f"{self.definition.gallery.name}/{self.definition.name}/{self.number}"


@functools.lru_cache(maxsize=4096)
def _version(text: str) -> VersionId:
    """Every hop reads the same few ids again, from its message, its row and Azure's answers."""
    gallery, definition, number = _parts(text, "an image version id")
    if definition is None or number is None:
        raise InvalidId(f"{_shown(text)} is not an image version id: …/images/D/versions/1.2.3 is expected")
    return VersionId(DefinitionId(gallery, definition), VersionNumber.parse(number))


def _parts(text: str, expected: str) -> tuple[GalleryId, str | None, str | None]:
    # The gallery specification's own example spells ids with /locations/{region}/ before /Galleries/.
    match = _VERSION_ID.fullmatch(_LOCATION_SEGMENT.sub("", text[:2048]))
    if match is None:
        raise InvalidId(
            f"{_shown(text)} is not {expected}: "
            "/subscriptions/…/resourceGroups/…/providers/Microsoft.Compute/galleries/… is expected"
        )
    found = {name: value.lower() for name, value in match.groupdict().items() if value is not None}
    gallery = GalleryId(found["subscription"], found["group"], found["gallery"])
    return gallery, found.get("definition"), found.get("number")


def _shown(text: str) -> str:
    return repr(text if len(text) <= 300 else text[:300] + "…")
