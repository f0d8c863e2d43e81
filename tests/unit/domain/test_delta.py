"""What is new compared with a published version: the same vulnerability of the same package is not."""

from dataclasses import replace

import pytest

from shared.domain.delta import Baseline, compare
from shared.domain.findings import Finding
from shared.domain.policy import Severity


def found(purl: str, id_: str = "CVE-2026-1") -> Finding:
    return Finding(id_, "openssl", "1.0", Severity.HIGH, purl=purl)


DEB, PYPI, UNTYPED = found("pkg:deb/debian/openssl@1.0"), found("pkg:pypi/openssl@1.0"), found("")


@pytest.mark.parametrize(
    ("before", "after", "is_new"),
    [
        (DEB, DEB, False),
        (DEB, PYPI, True),
        (DEB, UNTYPED, False),
        (UNTYPED, DEB, False),
        (UNTYPED, UNTYPED, False),
        (DEB, found("pkg:deb/debian/openssl@1.0", "CVE-2026-2"), True),
        (DEB, replace(DEB, id="GHSA-1", aliases=("CVE-2026-1",)), False),
    ],
)
def test_a_finding_is_new_unless_its_package_had_it_under_a_type_that_may_be_the_same(
    before: Finding, after: Finding, is_new: bool
) -> None:
    assert bool(compare([after], Baseline("1.0.0", (before,))).new) is is_new


def test_a_type_counts_whichever_of_several_it_is() -> None:
    assert compare([PYPI], Baseline("1.0.0", (DEB, PYPI))).new == ()
