"""Purchase plans: a machine of an image that descends from the marketplace must name the plan that was bought.

The texts are Azure's own: azure-rest-api-specs#22133 (no plan, for a gallery version), terraform-provider-azurerm#1145
(terms), "Common error messages when you manage virtual machines" on Microsoft Learn (`VMMarketplaceInvalidInput` for a
plan that does not match and for one that is not needed). Azure finds it out while it creates the machine, not when it
takes the request (terraform-provider-azurerm#4678, kubermatic/machine-controller#788): the operation ends Failed, and a
failed machine is left.
"""

from local.arm.kernel.errors import ArmError
from local.arm.kernel.store import Document
from local.arm.machines.image_reference import Image

_PARTS = ("name", "publisher", "product")
_CODE = "VMMarketplaceInvalidInput"


def refuse_plan(image: Image | None, given: Document | None, resource_id: str, disk: str | None) -> ArmError | None:
    """What is wrong with the plan in the body of a machine or scale set, or None.

    `disk` is the name of the OS disk, as far as the request says one. What the marketplace's own images want is not
    known here.
    """
    if image is None or image.is_marketplace:
        return None
    if image.plan is None:
        return _not_needed(disk or "") if given else None
    if not given:
        return ArmError(
            409,
            _CODE,
            "Creating a virtual machine from Marketplace image or a custom image sourced from a Marketplace image "
            f"requires Plan information in the request. VM: '{resource_id}'.",
        )
    if any(given.get(part) != image.plan.get(part) for part in _PARTS):
        return ArmError(
            409,
            _CODE,
            "Unable to deploy from the Marketplace image or a custom image sourced from Marketplace image. The part "
            f"number in the purchase information for VM '{resource_id}' is not as expected. Beware that the Plan "
            "object's properties are case-sensitive. Learn more about common virtual machine error codes.",
        )
    return None


def _not_needed(disk: str) -> ArmError:
    return ArmError(
        409,
        _CODE,
        "Creating a virtual machine from a non Marketplace image does not need Plan information, please remove the "
        "Plan "
        f"information in the request. OS disk name is '{disk}'.",
    )
