"""Azure's regions: short names go in, display names come back in `targetRegions`."""

DISPLAY: dict[str, str] = {
    "eastus": "East US",
    "eastus2": "East US 2",
    "southcentralus": "South Central US",
    "westus": "West US",
    "westus2": "West US 2",
    "westus3": "West US 3",
    "centralus": "Central US",
    "northcentralus": "North Central US",
    "westcentralus": "West Central US",
    "canadacentral": "Canada Central",
    "canadaeast": "Canada East",
    "brazilsouth": "Brazil South",
    "northeurope": "North Europe",
    "westeurope": "West Europe",
    "uksouth": "UK South",
    "ukwest": "UK West",
    "francecentral": "France Central",
    "germanywestcentral": "Germany West Central",
    "italynorth": "Italy North",
    "norwayeast": "Norway East",
    "polandcentral": "Poland Central",
    "spaincentral": "Spain Central",
    "swedencentral": "Sweden Central",
    "switzerlandnorth": "Switzerland North",
    "uaenorth": "UAE North",
    "southafricanorth": "South Africa North",
    "qatarcentral": "Qatar Central",
    "israelcentral": "Israel Central",
    "australiaeast": "Australia East",
    "australiasoutheast": "Australia Southeast",
    "australiacentral": "Australia Central",
    "eastasia": "East Asia",
    "southeastasia": "Southeast Asia",
    "japaneast": "Japan East",
    "japanwest": "Japan West",
    "koreacentral": "Korea Central",
    "koreasouth": "Korea South",
    "centralindia": "Central India",
    "southindia": "South India",
    "westindia": "West India",
    "mexicocentral": "Mexico Central",
    "newzealandnorth": "New Zealand North",
    "centraluseuap": "Central US EUAP",
    "eastus2euap": "East US 2 EUAP",
}

NO_ZONES = frozenset(
    [
        "westus",
        "northcentralus",
        "westcentralus",
        "canadaeast",
        "ukwest",
        "australiasoutheast",
        "australiacentral",
        "koreasouth",
        "southindia",
        "westindia",
    ]
)
"""Regions without availability zones, where zone-redundant storage is refused."""


def short(name: str) -> str:
    """The short name of a region given in either form: `East US 2` and `EastUS2` are `eastus2`."""
    return name.replace(" ", "").lower()


def display(name: str) -> str:
    """The display name; a region that is not known stays as given."""
    return DISPLAY.get(short(name), name)


def is_known(name: str) -> bool:
    """Whether there is such a region."""
    return short(name) in DISPLAY


def zones(region: str) -> tuple[str, ...]:
    """The availability zones of a region, by short name."""
    return () if region in NO_ZONES else ("1", "2", "3")
