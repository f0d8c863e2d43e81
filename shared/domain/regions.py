"""Short and display names of the regions of the public Azure cloud.

The list exists to catch a misspelt region in a policy before anything is written, hours before ARM would refuse it.
It is not a list of where a subscription may deploy. A region that is newer than this list, or belongs to another cloud,
is named in the policy's ``regions``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import Final

from shared.domain.image import region_name

_DISPLAY_NAMES: Final = """
Australia Central|Australia Central 2|Australia East|Australia Southeast|Austria East|Belgium Central|Brazil South
Brazil Southeast|Canada Central|Canada East|Central India|Central US|Chile Central|Denmark East|East Asia|East US
East US 2|France Central|France South|Germany North|Germany West Central|Indonesia Central|Israel Central|Italy North
Japan East|Japan West|Jio India Central|Jio India West|Korea Central|Korea South|Malaysia West|Mexico Central
New Zealand North|North Central US|North Europe|Norway East|Norway West|Poland Central|Qatar Central
South Africa North|South Africa West|South Central US|South India|Southeast Asia|Spain Central|Sweden Central
Sweden South|Switzerland North|Switzerland West|Taiwan North|Taiwan Northwest|UAE Central|UAE North|UK South|UK West
West Central US|West Europe|West India|West US|West US 2|West US 3
""".replace("\n", "|")

REGIONS: Final[Mapping[str, str]] = MappingProxyType(
    {region_name(display): display for display in _DISPLAY_NAMES.split("|") if display}
)
"""Short name -> display name, as in ``az account list-locations`` (physical regions, early-access ones left out)."""


def display_name(region: str) -> str:
    """``West US 2`` for ``westus2``; the name as given for a region that isn't on the list."""
    return REGIONS.get(region_name(region), region)


def nearest_region(region: str, more: Iterable[str] = ()) -> str | None:
    """The known region whose short name is most like this one, or None when nothing is."""
    found = get_close_matches(region_name(region)[:80], [*REGIONS, *more], n=1, cutoff=0.7)
    return found[0] if found else None
