"""A version's whole way through the app, on every real part."""

import pytest

from tests.e2e.app import App
from tests.e2e.scene import PUBLISHED, version

pytestmark = pytest.mark.stack


def test_a_clean_version_is_released_in_every_ring(app: App) -> None:
    image = version("journey", "1.0.0")
    ended = app.released(image)
    assert ended["state"] == "released"
    assert ended["published"] == PUBLISHED
    assert app.machinery() == []
