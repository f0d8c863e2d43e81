# ruff: noqa: E501 - resource ids are long
"""Policies that tests start from."""

from __future__ import annotations

from pathlib import Path

from shared.domain.policy import DefinitionPolicy, Policy

ROOT = Path(__file__).parents[2]
SAMPLE = (ROOT / "promotion.yaml").read_text(encoding="utf-8")
BUILD = (
    "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg-images"
    "/providers/Microsoft.Compute/galleries/gal_build"
)
PROD = BUILD.replace("000000000001", "000000000002").replace("rg-images", "rg-prod").replace("gal_build", "gal_prod")
MINIMAL = f"""\
version: 1
test:
  subscription: 00000000-0000-4000-8000-000000000001
  resourceGroup: rg-test
  subnet: /subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg-net/providers/Microsoft.Network/virtualNetworks/vnet-{{region}}/subnets/default
definitions:
  - name: ubuntu
    source: {BUILD}/images/ubuntu
    rings:
      - name: canary
        regions: [westeurope]
"""


def only(policy: Policy) -> DefinitionPolicy:
    """The definition of a policy that has one."""
    (definition,) = policy.definitions.values()
    return definition
