"""Colours and style sheets of the page; the templates are tested through test_page.py."""

import re

import pytest

from pipeline.core.stage import load_facets
from pipeline.report.charts.projection import CLASS_SHAPES
from pipeline.report.charts.study import ARM_LOOKS
from pipeline.report.search import SEARCH_TEMPLATES
from tests.given.reporting import TEMPLATE_FOLDER, TEMPLATE_TEXTS

CSS = "".join(text for name, text in TEMPLATE_TEXTS.items() if name.endswith(".css"))
LIGHT, DARK = 0, 1
CLASSES = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh")
TEXT = ("ink", "muted", *CLASSES, "good", "bad")


def palette(scheme: int) -> dict[str, str]:
    """Return the colours of the light or the dark scheme, as six hexadecimal digits."""
    block = re.findall(r":root \{(.*?)\}", CSS, flags=re.DOTALL)[scheme]
    pairs = re.findall(r"--([a-z0-9]+): #([0-9a-f]{3,6});", block)
    return {name: value if len(value) == 6 else "".join(2 * digit for digit in value) for name, value in pairs}


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour.

    Source: https://www.w3.org/TR/WCAG22/#dfn-relative-luminance
    """
    shares = [int(colour[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(colour: str, ground: str) -> float:
    """Return the contrast of two colours, 1 to 21 (WCAG 2.2)."""
    low, high = sorted((luminance(colour), luminance(ground)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_of_black_and_white() -> None:
    assert contrast("000000", "ffffff") == pytest.approx(21)


@pytest.mark.parametrize("scheme", [LIGHT, DARK])
@pytest.mark.parametrize("ground", ["paper", "panel"])
@pytest.mark.parametrize("name", TEXT)
def test_text_is_readable(scheme: int, ground: str, name: str) -> None:
    colours = palette(scheme)
    assert contrast(colours[name], colours[ground]) >= 4.5


@pytest.mark.parametrize("scheme", [LIGHT, DARK])
@pytest.mark.parametrize("cell", ["hit", "miss"])
def test_numbers_in_the_confusion_matrix_are_readable(scheme: int, cell: str) -> None:
    colours = palette(scheme)
    assert contrast(colours["ink"], colours[cell]) >= 4.5


def test_every_file_of_the_folder_is_used() -> None:
    assert {path.name for path in TEMPLATE_FOLDER.iterdir() if path.name != "__pycache__"} == {
        *TEMPLATE_TEXTS,
        *SEARCH_TEMPLATES,
        *(page.template for page in load_facets("page").values()),
    }


def test_the_style_sheets_hold_no_jinja() -> None:
    assert not re.search(r"\{\{|\{%|\{#", CSS)


def test_every_colour_of_the_charts_is_defined() -> None:
    defined = re.findall(r"--([a-z0-9]+):", TEMPLATE_TEXTS["colours.css"])
    assert set(re.findall(r"var\(--([a-z0-9]+)\)", TEMPLATE_TEXTS["charts.css"])) <= {*defined, "series"}


def test_every_look_of_an_arm_has_its_colour() -> None:
    for kind, _ in ARM_LOOKS.values():
        assert re.search(rf"svg \.{kind} \{{ --series: var\(--\w+\); \}}", CSS), kind


def test_nothing_is_fetched() -> None:
    assert not re.search(r"url\(|@import|http", CSS)


def test_every_class_of_the_projection_has_its_colour() -> None:
    named = re.findall(r"svg \.class-(\d) \{ --series: var\(--(\w+)\); \}", CSS)
    assert [name for _, name in named] == list(CLASSES)
    assert [int(place) for place, _ in named] == list(range(len(CLASS_SHAPES)))
    for scheme in (LIGHT, DARK):
        assert len({palette(scheme)[name] for name in CLASSES}) == len(CLASS_SHAPES)
