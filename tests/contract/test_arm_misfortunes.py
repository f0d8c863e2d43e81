"""What the Azure adapters make of a service that throttles, fails, hangs up or is not there."""

import time
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError
from azure.core.pipeline.transport import AioHttpTransport

from local.arm.kernel.fault_injection import read_rules
from shared.adapters.azure.arm import Arm
from shared.adapters.azure.galleries import AzureGalleries
from shared.adapters.azure.serial_log import read_serial_log
from shared.domain.facts import RegionTargetFacts
from shared.domain.image import VersionNumber
from shared.ports import ForeignTarget, Refused, Throttled, Unavailable
from tests.contract.gallery_labs import ALLOWED, FOREIGN, HOME, LONG_ENOUGH, SOURCE, ArmLab, StaticCredential, arm_lab

VERSION = SOURCE.version(VersionNumber(1, 0, 0))


@pytest.fixture
async def lab() -> AsyncIterator[ArmLab]:
    async with arm_lab() as made:
        await made.build(VERSION, [RegionTargetFacts(HOME, excluded=True)])
        made.clock.advance(LONG_ENOUGH)
        yield made


def befall(lab: ArmLab, **rule: Any) -> None:
    lab.sim.kernel.faults.replace(read_rules([rule]))


async def test_throttling_is_told_with_its_wait_and_not_slept_through(lab: ArmLab):
    befall(lab, fault="throttle", retry_after=1200)
    began = time.monotonic()
    with pytest.raises(Throttled) as raised:
        await lab.galleries.version(VERSION)
    assert raised.value.retry_after == timedelta(minutes=20)
    assert time.monotonic() - began < 5


async def test_a_throttled_request_is_sent_once(lab: ArmLab):
    before = len(lab.sim.calls)
    befall(lab, fault="throttle")
    with pytest.raises(Throttled):
        await lab.galleries.version(VERSION)
    assert len(lab.sim.calls) == before + 1


async def test_a_throttled_write_is_told_as_throttled(lab: ArmLab):
    facts = await lab.galleries.version(VERSION)
    assert facts is not None
    befall(lab, fault="throttle", method="PATCH", retry_after=17)
    with pytest.raises(Throttled) as raised:
        await lab.galleries.write_targets(facts, facts.targets, excluded=True)
    assert raised.value.retry_after == timedelta(seconds=17)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_server_error_is_unavailable_and_sent_once(lab: ArmLab, status: int):
    before = len(lab.sim.calls)
    befall(lab, fault="error", status=status)
    with pytest.raises(Unavailable):
        await lab.galleries.version(VERSION)
    assert len(lab.sim.calls) == before + 1


async def test_a_connection_that_breaks_after_the_effect_is_unavailable(lab: ArmLab):
    facts = await lab.galleries.version(VERSION)
    assert facts is not None
    befall(lab, fault="drop_response_after_effect", method="PATCH")
    with pytest.raises(Unavailable):
        await lab.galleries.write_targets(
            facts, (*facts.targets, RegionTargetFacts("eastus", excluded=True)), excluded=True
        )
    after = await lab.galleries.version(VERSION)
    assert after is not None
    assert after.regions == (HOME, "eastus")


async def test_an_error_while_listing_is_told_as_it_is(lab: ArmLab):
    befall(lab, fault="throttle", operation="GalleryImageVersions_ListByGalleryImage", retry_after=3)
    with pytest.raises(Throttled):
        await lab.galleries.versions(SOURCE)


async def test_a_refusal_keeps_its_code(lab: ArmLab):
    befall(lab, fault="error", status=403, code="AuthorizationFailed", message="no right to read")
    with pytest.raises(Refused) as raised:
        await lab.galleries.version(VERSION)
    assert (raised.value.code, raised.value.status) == ("AuthorizationFailed", 403)


async def test_a_foreign_gallery_is_refused_before_any_call(lab: ArmLab):
    facts = await lab.galleries.version(VERSION)
    assert facts is not None
    before = len(lab.sim.calls)
    with pytest.raises(ForeignTarget):
        await lab.galleries.copy_version(facts, FOREIGN.version(VERSION.number), location=HOME, targets=facts.targets)
    assert len(lab.sim.calls) == before


async def test_a_write_is_one_call(lab: ArmLab):
    facts = await lab.galleries.version(VERSION)
    assert facts is not None
    before = len(lab.sim.calls)
    await lab.galleries.write_targets(facts, facts.targets, excluded=True)
    assert [(call.method, call.status) for call in lab.sim.calls[before:]] == [("PATCH", 200)]


async def test_a_token_that_arm_does_not_accept_is_refused(lab: ArmLab):
    arm = Arm(StaticCredential("not-a-token", 4_000_000_000), base_url=lab.sim.url, transport=trusting(lab))
    try:
        with pytest.raises(Refused) as raised:
            await AzureGalleries(arm, ALLOWED).version(VERSION)
        assert raised.value.status == 401
    finally:
        await arm.close()


class NoIdentity(StaticCredential):
    """A managed identity whose endpoint is down."""

    async def get_token(self, *scopes: str, **kwargs: Any) -> AccessToken:
        raise ClientAuthenticationError("the identity endpoint does not answer")


async def test_no_token_is_an_outage_and_no_refusal(lab: ArmLab):
    arm = Arm(NoIdentity("", 0), base_url=lab.sim.url, transport=trusting(lab))
    try:
        with pytest.raises(Unavailable, match="no token"):
            await AzureGalleries(arm, ALLOWED).version(VERSION)
    finally:
        await arm.close()


async def test_no_service_at_all_is_unavailable():
    arm = Arm(
        StaticCredential("x", 4_000_000_000),
        base_url="https://localhost:1",
        transport=lambda: AioHttpTransport(connection_timeout=1, read_timeout=1),
    )
    try:
        with pytest.raises(Unavailable):
            await AzureGalleries(arm, ALLOWED).version(VERSION)
    finally:
        await arm.close()


async def test_a_token_never_follows_a_list_to_another_host(lab: ArmLab):
    class Elsewhere(Arm):
        async def _json(self, method: str, url: str, what: str, query: Any, content: Any = None) -> dict[str, Any]:
            return {"value": [{"name": "x"}], "nextLink": "https://evil.example/next"}

    arm = Elsewhere(StaticCredential("x", 4_000_000_000), base_url=lab.sim.url)
    with pytest.raises(Unavailable, match="not on"):
        _ = [item async for item in arm.pages("/subscriptions", "2022-12-01", "list")]


async def test_a_serial_log_is_read_over_https_alone():
    with pytest.raises(Refused) as raised:
        await read_serial_log("http://storage.example/log?sig=secret")
    assert "secret" not in str(raised.value)


async def test_the_address_of_a_serial_log_never_shows_in_a_fault():
    with pytest.raises(Unavailable) as raised:
        await read_serial_log("https://localhost:1/container/log?sig=secret")
    assert "secret" not in repr(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


def trusting(lab: ArmLab):
    return lambda: AioHttpTransport(connection_verify=str(lab.sim.ca_file), connection_timeout=5, read_timeout=20)
