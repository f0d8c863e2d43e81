"""What refers to images: which types of resources can, what a look reads of them, and how far it came.

Two sources tell who uses an image version. The lists of the resource providers are complete when every page was read.
Azure Resource Graph is seconds to hours behind and leaves out what it may not read without a word, so it can add users
and can never show that there are none. A type that could not be listed is *unknown*, unless the policy waives it by
name.

This module knows no wire format: which JSON path of which api-version holds a reference is the adapter's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from shared.domain.image import GalleryId


class Relation(StrEnum):
    """How a resource refers to another one."""

    USES = "uses"
    """It runs the image, or will create machines from it."""
    MADE_FROM = "made from"
    """It is a copy of it. It can be the source of other images."""


class Source(StrEnum):
    """Who said so."""

    LIST = "list"
    """The list of the resource provider."""
    RESOURCE_GRAPH = "resource graph"


@dataclass(frozen=True, slots=True)
class UsageKind:
    """A type of resource that can refer to an image.

    ``name`` is the resource type in lower case, ``label`` its name for people, and ``parent`` the type whose resources
    must be listed first, because Azure has no list of all.
    """

    name: str
    label: str
    parent: str | None = None

    @property
    def namespace(self) -> str:
        """The resource provider."""
        return self.name.partition("/")[0]


MACHINES: Final = "microsoft.compute/virtualmachines"
SCALE_SETS: Final = "microsoft.compute/virtualmachinescalesets"
INSTANCES: Final = "microsoft.compute/virtualmachinescalesets/virtualmachines"
VERSIONS: Final = "microsoft.compute/galleries/images/versions"
LISTED: Final = (
    UsageKind(MACHINES, "virtual machines"),
    UsageKind(SCALE_SETS, "scale sets"),
    UsageKind(INSTANCES, "scale set instances", SCALE_SETS),
    UsageKind("microsoft.compute/disks", "disks"),
    UsageKind("microsoft.compute/snapshots", "snapshots"),
    UsageKind("microsoft.compute/images", "managed images"),
    UsageKind("microsoft.compute/galleries", "galleries"),
    UsageKind("microsoft.compute/galleries/images", "image definitions", "microsoft.compute/galleries"),
    UsageKind(VERSIONS, "image versions", "microsoft.compute/galleries/images"),
    UsageKind("microsoft.compute/restorepointcollections", "restore point collections"),
    UsageKind("microsoft.virtualmachineimages/imagetemplates", "image templates"),
    UsageKind("microsoft.azurefleet/fleets", "compute fleets"),
    UsageKind("microsoft.batch/batchaccounts", "Batch accounts"),
    UsageKind("microsoft.batch/batchaccounts/pools", "Batch pools", "microsoft.batch/batchaccounts"),
    UsageKind("microsoft.devopsinfrastructure/pools", "managed DevOps pools"),
    UsageKind("microsoft.desktopvirtualization/hostpools", "host pools"),
    UsageKind(
        "microsoft.desktopvirtualization/hostpools/sessionhostconfigurations",
        "session host configurations",
        "microsoft.desktopvirtualization/hostpools",
    ),
    UsageKind(
        "microsoft.desktopvirtualization/hostpools/activesessionhostconfigurations",
        "active session host configurations",
        "microsoft.desktopvirtualization/hostpools",
    ),
    UsageKind("microsoft.devcenter/devcenters", "dev centers"),
    UsageKind(
        "microsoft.devcenter/devcenters/devboxdefinitions", "dev box definitions", "microsoft.devcenter/devcenters"
    ),
    UsageKind("microsoft.devcenter/projects", "dev center projects"),
    UsageKind("microsoft.devcenter/projects/pools", "dev box pools", "microsoft.devcenter/projects"),
    UsageKind("microsoft.devcenter/projects/catalogs", "project catalogs", "microsoft.devcenter/projects"),
    UsageKind(
        "microsoft.devcenter/projects/catalogs/imagedefinitions",
        "dev box image definitions",
        "microsoft.devcenter/projects/catalogs",
    ),
    UsageKind("microsoft.machinelearningservices/workspaces", "machine learning workspaces"),
    UsageKind(
        "microsoft.machinelearningservices/workspaces/computes",
        "machine learning computes",
        "microsoft.machinelearningservices/workspaces",
    ),
    UsageKind("microsoft.servicefabric/managedclusters", "Service Fabric managed clusters"),
    UsageKind(
        "microsoft.servicefabric/managedclusters/nodetypes",
        "Service Fabric node types",
        "microsoft.servicefabric/managedclusters",
    ),
    UsageKind("microsoft.labservices/labs", "labs"),
    UsageKind("microsoft.devtestlab/labs", "DevTest labs"),
    UsageKind("microsoft.devtestlab/labs/customimages", "DevTest custom images", "microsoft.devtestlab/labs"),
)
"""Every type that is listed, parents first."""
KINDS: Final[Mapping[str, UsageKind]] = MappingProxyType({each.name: each for each in LISTED})
PROVIDERS: Final = "microsoft.resources/providers"
"""Which resource providers a subscription has registered. It is asked before anything else."""
GRAPH: Final = "microsoft.resourcegraph/resources"
RESOLVED_ONCE: Final = frozenset({MACHINES, INSTANCES})
"""Types that resolve ``latest`` when they are created, and run that version from then on."""
MOST_NAMED: Final = 20_000
"""Users, and descendants, that a result names. More are counted; the documents of the look name all of them."""


def below(kind: str) -> tuple[str, ...]:
    """The types that can be listed only when this one was, at any depth."""
    own = tuple(each.name for each in LISTED if each.parent == kind)
    return own + tuple(deeper for each in own for deeper in below(each))


@dataclass(frozen=True, slots=True)
class Mention:
    """A resource that names an image, a disk or a machine. Ids are in lower case."""

    resource: str
    kind: str
    location: str
    target: str
    relation: Relation
    exact: str | None = None
    """The version that it runs where ``target`` names none (``exactVersion``)."""
    instances: int | None = None
    power: str | None = None
    """Power state, as ``running``, where the source tells it."""
    source: Source = Source.LIST


@dataclass(frozen=True, slots=True)
class Lookup:
    """One page to read: of a list of a subscription, or below ``parent``. ``link`` is what the page before named."""

    subscription: str
    kind: str
    parent: str | None = None
    link: str | None = None


@dataclass(frozen=True, slots=True)
class UsagePage:
    """One page of a list."""

    mentions: tuple[Mention, ...] = ()
    resources: int = 0
    """How many resources the page had."""
    below: tuple[Lookup, ...] = ()
    """The lists below the resources of this page."""
    following: Lookup | None = None
    unreadable: tuple[str, ...] = ()
    """Resources whose reference could not be read."""


class Looked(StrEnum):
    """What came of listing a type in a subscription."""

    LISTED = "listed"
    NOT_REGISTERED = "not registered"
    """The subscription has not registered the resource provider, so it has no such resource.

    Microsoft Learn, "Azure resource providers and types": a provider cannot be unregistered while resources of it
    exist.
    """
    WAIVED = "waived"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Coverage:
    """How one type was looked at in one subscription."""

    subscription: str
    kind: str
    looked: Looked
    at: datetime
    resources: int = 0
    reason: str = ""
    source: Source = Source.LIST

    def __str__(self) -> str:
        known = KINDS.get(self.kind)
        label = known.label if known else self.kind
        return f"{label} in {self.subscription}: {self.reason or self.looked.value}"


@dataclass(frozen=True, slots=True)
class InUseRules:
    """Where to look for users of a version."""

    subscriptions: tuple[str, ...] = ()
    waived: Mapping[str, str] = MappingProxyType({})
    """Resource types that are not looked at, in lower case, with the reason."""
    resource_graph: bool = True
    """Whether Azure Resource Graph is asked for further users."""


@dataclass(frozen=True, slots=True)
class Sharing:
    """With whom a gallery is shared beside those who have a role, and the names under which it is."""

    permissions: str = "Private"
    """``Private``, ``Groups`` or ``Community``, as Azure spells them."""
    public_names: tuple[str, ...] = ()

    def limit(self, gallery: GalleryId) -> str | None:
        """Why users of the gallery's versions cannot all be seen; None if they can."""
        if self.permissions.lower() == "private":
            return None
        return (
            f"gallery {gallery.name} is shared ({self.permissions}): users in other tenants and subscriptions cannot "
            "be seen"
        )
