"""What every kind of test may ask for."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from local.azurite import Azurite

# All generators are bounded. How long they take on a machine that others use as well says nothing of the product.
settings.register_profile("ringmaster", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# `pytest --hypothesis-profile many tests/property` looks for tests that fail by luck. Tests that set their own number
# of inputs keep it.
settings.register_profile("many", settings.get_profile("ringmaster"), max_examples=5_000, print_blob=True)
settings.load_profile("ringmaster")

PROJECT_ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def project_root() -> Path:
    """The folder that holds `function_app.py`."""
    return PROJECT_ROOT


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Recorded data of real Azure, scanners and machines; tests that read it skip where it is missing."""
    data = PROJECT_ROOT.parent / "shared" / "data"
    if not data.is_dir():
        pytest.skip(f"needs recorded real data in {data}")
    return data


@pytest.fixture(scope="session")
def azurite() -> Iterator[Azurite]:
    """One Azurite in memory for the whole session (one for each worker under pytest-xdist).

    Tests share it: give queues, tables and containers names of their own.
    """
    with Azurite() as running:
        yield running
