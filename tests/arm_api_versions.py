"""The api-version that tests ask the ARM simulator with: one that there is for what a path is about."""

from typing import Final

_USUAL: Final = {
    "microsoft.authorization/locks": "2020-05-01",
    "microsoft.resources/": "2022-09-01",
    "microsoft.resourcegraph/": "2022-10-01",
    "microsoft.insights/": "2015-04-01",
    "microsoft.storage/": "2023-05-01",
    "microsoft.network/": "2024-05-01",
    "microsoft.compute/skus": "2021-07-01",
    "microsoft.compute/galleries": "2024-03-03",
    "microsoft.compute/disks": "2024-03-02",
    "microsoft.compute/snapshots": "2024-03-02",
    "microsoft.compute/": "2024-07-01",
}


def usual(path: str) -> str:
    """An api-version of the resource type in a path."""
    kind = path.lower().rsplit("/providers/", 1)[-1]
    return next((version for start, version in _USUAL.items() if kind.startswith(start)), "2022-09-01")
