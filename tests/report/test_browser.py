"""The reports in a real browser: everything visible, nothing asked of the network, printable, legible light and dark."""

from __future__ import annotations

import pytest

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
    page = open_page("prediction", color_scheme=scheme)
    channels = page.evaluate(
        "['body', '.banner', '.warnings'].map(q => { const s = getComputedStyle(document.querySelector(q));"
        " return [s.color, s.backgroundColor].map(c => c.match(/[\\d.]+/g).slice(0, 3).map(Number)); })"
    )
    for ink, paper in channels:
        assert _contrast(ink, paper) >= 4.5  # WCAG 2.1, 1.4.3


def test_it_prints(open_page):
    page = open_page("study")
    content = page.pdf(format="A4", print_background=True)
    assert content.startswith(b"%PDF")
    assert content.count(b"/Type /Page\n") + content.count(b"/Type /Page ") >= 2


def _contrast(first: list[float], second: list[float]) -> float:
    """Contrast ratio of two sRGB colors as WCAG 2.1 defines it."""

    def luminance(color: list[float]) -> float:
        linear = [c / 255 / 12.92 if c / 255 <= 0.03928 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in color]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)
