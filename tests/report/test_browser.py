"""The reports in a real browser: everything visible, nothing asked of the network, printable, legible light and dark."""

from __future__ import annotations

import re

import pytest

from axilla.report import PatientEntry, StudyReport, render_study

pytestmark = pytest.mark.browser

KINDS = ("prediction", "study")


@pytest.fixture
def open_page(chromium, reports, tmp_path):
    """Open a report from disk; collects requests, errors and dialogs."""
    contexts = []

    def open_report(kind: str, **options):
        path = tmp_path / f"{kind}.html"
        path.write_text(reports[kind], encoding="utf-8")
        context = chromium.new_context(viewport={"width": 1200, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.seen = []
        page.on("request", lambda request: page.seen.append(request.url))
        page.on("pageerror", lambda error: page.seen.append(f"error: {error}"))
        page.on("console", lambda message: page.seen.append(f"console: {message.text}"))
        page.on("dialog", lambda dialog: (page.seen.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.goto(path.as_uri())
        return page

    yield open_report
    for context in contexts:
        context.close()


@pytest.mark.parametrize("kind", KINDS)
def test_every_picture_is_visible_and_nothing_is_asked_of_the_network(open_page, kind):
    page = open_page(kind)
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
    images = page.evaluate(
        "Promise.all([...document.images].map(async i => { await i.decode();"
        " const r = i.getBoundingClientRect(); return [i.naturalWidth, r.width, r.height]; }))"
    )
    assert images
    assert min(min(sizes) for sizes in images) > 20
    foreign = [url for url in page.seen if not url.startswith(("file:", "data:"))]
    assert foreign == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("width", [1200, 390])
def test_the_page_does_not_scroll_sideways(open_page, kind, width):
    page = open_page(kind)
    page.set_viewport_size({"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_legible_light_and_dark(open_page, scheme):
    page = open_page("study", color_scheme=scheme)
    channels = page.evaluate(
        "['body', '.banner', '.warnings', '.short'].map(q => { const s = getComputedStyle(document.querySelector(q));"
        " return [s.color, s.backgroundColor].map(c => c.match(/[\\d.]+/g).slice(0, 3).map(Number)); })"
    )
    for ink, paper in channels:
        assert _contrast(ink, paper) >= 4.5  # WCAG 2.1, 1.4.3


A4_BETWEEN_MARGINS_PX = 688
"""182 mm at 96 px an inch."""


@pytest.mark.parametrize(("kind", "least", "most"), [("prediction", 2, 6), ("study", 6, 14)])
def test_it_prints_without_blank_pages(open_page, kind, least, most):
    content = open_page(kind).pdf(format="A4", print_background=True)
    assert content.startswith(b"%PDF")
    assert least <= len(re.findall(rb"/Type\s*/Page\b(?!s)", content)) <= most


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_cut_or_folded_on_paper(open_page, kind):
    page = open_page(kind)
    page.set_viewport_size({"width": A4_BETWEEN_MARGINS_PX, "height": 1000})
    page.emulate_media(media="print")
    wide = page.evaluate(
        "[...document.querySelectorAll('table, img, h1, h2, h3')].map(e => [e.tagName + ' ' + e.textContent.slice(0, 40),"
        f" e.getBoundingClientRect().right]).filter(([, right]) => right > {A4_BETWEEN_MARGINS_PX} + 1)"
    )
    assert wide == []
    folded = page.evaluate("[...document.querySelectorAll('details *')].filter(e => !e.checkVisibility()).length")
    assert folded == 0
    assert page.evaluate("[...document.querySelectorAll('details td')].every(e => e.getBoundingClientRect().height > 0)")


@pytest.mark.parametrize("title", ["Axilla study", 'A "quoted" title; } body { display: none } </style> \u00e9 \\ {{ 7*7 }}'])
def test_every_printed_page_bears_the_title_and_what_the_page_is_for(chromium, tmp_path, title):
    path = tmp_path / "index.html"
    path.write_text(render_study(StudyReport(results={}, title=title)), encoding="utf-8")
    page = chromium.new_page()
    page.goto(path.as_uri())
    boxes = page.evaluate(
        "[...document.styleSheets].flatMap(s => [...s.cssRules]).filter(r => r.media && r.media.mediaText == 'print')"
        ".flatMap(r => [...r.cssRules]).filter(r => r instanceof CSSPageRule).flatMap(r => [...(r.cssRules || [])])"
        ".map(r => [r.name, r.style.getPropertyValue('content')]).filter(([, content]) => content)"
    )
    found = dict(boxes)
    assert found["top-right"] == '"Research use only"'
    assert "counter(page)" in found["bottom-right"]
    assert found["top-left"].strip('"').replace('\\"', '"').replace("\\\\", "\\") == title
    assert page.evaluate("getComputedStyle(document.body).display") == "block"
    page.close()


def test_many_patients_are_folded_on_the_screen_and_printed(chromium, tmp_path):
    entries = tuple(PatientEntry(f"P{i:04d}", "cN0", "R", "cN0", "benign", "benign", 0.5, 9, 0) for i in range(478))
    path = tmp_path / "index.html"
    path.write_text(render_study(StudyReport(results={}, patients=entries)), encoding="utf-8")
    page = chromium.new_page()
    page.goto(path.as_uri())
    rows = (
        "[...document.querySelectorAll('details tbody tr')].filter(e => e.checkVisibility({contentVisibilityAuto: true})).length"
    )
    assert page.evaluate(rows) == 0
    page.keyboard.press("Tab")
    page.locator("summary", has_text="478").focus()
    page.keyboard.press("Enter")
    assert page.evaluate(rows) == 478
    page.close()


def _contrast(first: list[float], second: list[float]) -> float:
    """Contrast ratio of two sRGB colors as WCAG 2.1 defines it."""

    def luminance(color: list[float]) -> float:
        linear = [c / 255 / 12.92 if c / 255 <= 0.03928 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in color]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)
