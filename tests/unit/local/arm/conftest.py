"""Simulators for tests, without sockets."""

import pytest

from tests.unit.local.arm.arm_driver import Arm


@pytest.fixture
def arm() -> Arm:
    """A simulator in memory with a resource group and a managed image."""
    return Arm()


@pytest.fixture
def gallery_arm(arm: Arm) -> Arm:
    """One that has a gallery and a definition as well."""
    arm.make_definition()
    return arm
