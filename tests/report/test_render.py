"""The HTML reports: self-contained, escaped, complete, and honest about what is missing."""

from __future__ import annotations

import base64
import itertools
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from axilla.errors import InvalidValueError
from axilla.report import PatientEntry, StudyReport, render_prediction, render_study
from axilla.report.groups import groups_in_words

VOID = {"meta", "img", "br", "hr", "link", "input"}
LOADING = ("src", "href", "srcset", "data", "action", "background", "poster")
KINDS = ("prediction", "study")


class Page(HTMLParser):
    """Elements with their attributes, the text, and whether tags are balanced."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.stack: list[str] = []
        self.is_balanced = True
        self.feed(html)
        self.is_balanced = self.is_balanced and not self.stack

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, {key: value or "" for key, value in attrs}))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag):
        if not self.stack or self.stack.pop() != tag:
            self.is_balanced = False

    def handle_data(self, data):
        if not self.stack or self.stack[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="session")
def pages(reports) -> dict[str, Page]:
    return {kind: Page(html) for kind, html in reports.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_a_report_needs_nothing_but_itself(pages, reports, kind):
    page = pages[kind]
    assert page.is_balanced
    assert not [tag for tag, _ in page.elements if tag in ("script", "link", "iframe", "object", "embed", "base", "form")]
    for _, attributes in page.elements:
        assert not [key for key in attributes if key.startswith("on")]
        for key in LOADING:
            assert attributes.get(key, "#").startswith(("#", "data:image/"))
    policy = next(a["content"] for a in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy
    assert "url(" not in reports[kind]
    assert "@import" not in reports[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_words_from_outside_are_escaped(pages, reports, kind):
    assert "<script" not in reports[kind]
    assert "onerror=alert(2)&gt;" in reports[kind]
    assert "{{ 7*7 }}" in pages[kind].text  # not run as a template
    assert "<script>alert(1)</script>" in pages[kind].text


@pytest.mark.parametrize("kind", KINDS)
def test_a_report_is_accessible(pages, kind):
    page = pages[kind]
    assert page.all("html")[0]["lang"] == "en"
    images = page.all("img")
    assert images
    assert all(image["alt"] for image in images)
    headings = [int(tag[1]) for tag, _ in page.elements if tag in ("h1", "h2", "h3", "h4")]
    assert headings[0] == 1
    assert headings.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(headings))
    assert len(page.all("caption")) == len(page.all("table"))
    ids = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    assert all(a["href"][1:] in ids for a in page.all("a"))


@pytest.mark.parametrize("kind", KINDS)
def test_images_are_whole(pages, kind):
    for image in pages[kind].all("img"):
        media_type, _, content = image["src"].partition(";base64,")
        data = base64.b64decode(content, validate=True)
        assert data.startswith({"data:image/jpeg": b"\xff\xd8", "data:image/svg+xml": b"<?xml"}[media_type])


@pytest.mark.parametrize("kind", KINDS)
def test_research_use_and_synthetic_data_are_said_first(pages, kind):
    text = pages[kind].text
    assert "Research use only." in text[:900]
    assert "The model was trained on synthetic data." in text[:900]


def test_no_report_holds_a_uid(reports):
    assert not [kind for kind in KINDS if "2.25.7777" in reports[kind]]


def test_the_prediction_lists_every_node_with_its_numbers(pages):
    text = pages["prediction"].text
    for words in (
        "R01",
        "L01",
        "6.0 x 10.0 mm",
        "900 mm³",
        "score 3.21",
        "probability of Group 2 0.97",
        "instance 31",
    ):
        assert words in text
    assert "Call: metastatic" in text
    assert "only a part of the axilla" in text.lower()
    assert "Slices are 3 mm apart" in text
    assert "resampled to 1 x 1 x 1 mm and with a bin width of 25 HU" in text
    assert "160 synthetic nodes of 20 patients" in text


def test_a_warning_on_slices_is_not_said_twice(prediction_report):
    html = render_prediction(replace(prediction_report, warnings=("Slices of 3 mm: small nodes are missed.",)))
    assert "mm apart: nodes below" not in html


def test_withheld_groups_are_explained(prediction_report):
    reason = "no group given: the model is synthetic and this CT is not"
    empty = prediction_report.predictions.assign(
        group=pd.array([pd.NA, pd.NA], dtype="Int64"), score=float("nan"), warnings=reason
    )
    html = render_prediction(replace(prediction_report, predictions=empty, withheld_reason=reason))
    text = Page(html).text
    assert "No group is given. The model is synthetic and this CT is not." in text
    assert reason not in text  # not once more per node
    assert 'class="chip' not in html
    assert "Call:" not in text  # nor is one given per side


def test_a_ct_without_nodes_and_without_a_model_has_a_report(prediction_report):
    html = render_prediction(
        replace(
            prediction_report, nodes=(), predictions=None, patients=None, pictures={}, contact_sheet=None, model=None, coverage={}
        )
    )
    text = Page(html).text
    assert "No node was found. That is not the same as no disease" in text
    assert "No model was applied" in text


def test_a_mask_the_user_brought_is_not_called_found(prediction_report):
    text = Page(render_prediction(replace(prediction_report, has_given_mask=True))).text
    assert "2 nodes in the mask given" in text
    assert "The nodes are those of a mask given by the user" in text
    assert "candidate" not in text.lower()


def test_a_synthetic_ct_is_called_synthetic(prediction_report):
    acquisition = replace(prediction_report.acquisition, is_synthetic=True)
    assert "Synthetic data" in Page(render_prediction(replace(prediction_report, acquisition=acquisition))).text[:900]


def test_the_study_shows_counts_rates_and_reasons(pages):
    text = pages["study"].text
    for words in (
        "Metastatic 28 7 35",
        "Not metastatic 10 83 93",
        "86.70 (76.70 to 96.70)",
        "0.847 (0.747 to 0.947)",
        "Specificity not computable: no benign case",
        "P (exact McNemar) 5.1e-04",
        "cN+ patients the model was not trained on",
        "Not evaluable: no call (2 not evaluable)",
        "P0003",
        "slices missing",
        "2000 resamples, seed 11",
        "The study's seed was 7.",
    ):
        assert words in text


def test_the_study_says_which_direction_is_rounder(pages):
    text = pages["study"].text
    assert "Nodes of Group 2 are rounder, less flat: Flatness is higher (median 0.6 against 0.5, g = +0.90" in text
    assert "Nodes of Group 2 are more elongated: Elongation is lower (median 0.4 against 0.5, g = \u22120.90" in text
    assert "higher values mean rounder" in text
    assert "Shape 2 of 14 (1 \u2191, 1 \u2193) 0.50 Flatness (0.90)" in text


@pytest.mark.parametrize(
    ("validation", "said"),
    [
        ((0.6, 0.4, 0.8), "the validation cohort agrees (g = +0.60, +0.40 to +0.80: medium)"),
        ((-0.6, -0.8, -0.4), "the validation cohort contradicts this"),
        ((0.1, -0.3, 0.5), "the validation cohort does not confirm this"),
        ((-0.1, -0.15, -0.05), "a negligible difference the other way"),
        ((np.nan, np.nan, np.nan), "(median 0.6 against 0.5, g = +0.90, +0.70 to +1.10: large)."),
    ],
)
def test_where_validation_contradicts_is_said(make_differences, validation, said):
    assert said in groups_in_words(make_differences(validation=validation))[0]


def test_a_negligible_difference_gets_no_direction(make_differences):
    sentence = groups_in_words(make_differences(training=(0.1, 0.05, 0.15)))[0]
    assert sentence.startswith("In Flatness the groups hardly differ")
    assert "rounder" not in sentence
    doubtful = groups_in_words(make_differences(training=(0.4, -0.1, 0.9)))[0]
    assert doubtful.startswith("Nodes of Group 2 may be rounder")
    assert "its interval includes no difference" in doubtful
    assert groups_in_words(None) == []


def test_missing_figures_are_named(pages):
    assert "The cluster plot was not made." in pages["study"].text
    assert "The flow diagram was not made." not in pages["study"].text


def test_a_study_without_anything_has_a_report():
    text = Page(render_study(StudyReport(results={}))).text
    assert "nothing can be said at node level" in text
    assert "nothing can be said at patient level" in text


def test_equal_reports_give_equal_pages(prediction_report, study_report, reports):
    assert render_prediction(prediction_report) == reports["prediction"]
    assert render_study(study_report) == reports["study"]


def test_contradictions_are_refused(prediction_report, drawing):
    with pytest.raises(InvalidValueError, match="lack the columns"):
        replace(prediction_report, predictions=pd.DataFrame({"node_id": []}))
    with pytest.raises(InvalidValueError, match="nodes the CT does not have"):
        replace(prediction_report, nodes=prediction_report.nodes[:1])
    with pytest.raises(InvalidValueError, match="A study's figures are"):
        StudyReport(results={}, figures={"pie": drawing})
    with pytest.raises(InvalidValueError, match="3 not evaluable of 2"):
        PatientEntry("P0001", n_nodes=2, n_not_evaluable=3)
