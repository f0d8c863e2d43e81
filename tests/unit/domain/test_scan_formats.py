"""Scan formats: their names, and what is known of them without a reader."""

from __future__ import annotations

import pytest

from shared.domain.scan_formats import AUTO_DETECT, MULTI_SCANNER_FORMATS, SCAN_FORMATS, is_format_name


def test_every_format_has_a_name_of_the_form_that_is_accepted() -> None:
    assert all(map(is_format_name, (*SCAN_FORMATS, AUTO_DETECT)))


def test_auto_is_not_the_name_of_a_format() -> None:
    assert AUTO_DETECT not in SCAN_FORMATS


def test_formats_of_several_scanners_are_formats() -> None:
    assert set(SCAN_FORMATS) > MULTI_SCANNER_FORMATS


@pytest.mark.parametrize("text", ["", "-trivy", "Trivy", "a/b", "..", "trivy\n", "é", "a" * 41])
def test_other_texts_are_no_names_of_formats(text: str) -> None:
    assert not is_format_name(text)
