"""A ``Published`` event as Ringmaster publishes it."""

from typing import Any

from local.docs.events_reference import example
from shared.domain.events import Published


def published(image: str, *, ring: str = "production", regions: tuple[str, ...] = ("westeurope",)) -> dict[str, Any]:
    data = example(Published) | {"image": image, "ring": ring, "regions": list(regions)}
    return {"specversion": "1.0", "id": "1", "type": Published.TYPE, "source": "d", "subject": "v", "data": data}
