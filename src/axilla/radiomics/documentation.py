"""The page of the documentation that defines every feature, made from the registry."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from axilla.radiomics import catalog, mesh, resampling
from axilla.radiomics._registry import CLASSES, Feature
from axilla.radiomics.discretization import bin_edges
from axilla.radiomics.texture import glcm, gldm, glrlm, glszm, ngtdm

_TITLES = {
    "shape": "Shape",
    "firstorder": "First order",
    "glcm": "Gray-level co-occurrence (glcm)",
    "glrlm": "Gray-level run length (glrlm)",
    "glszm": "Gray-level size zone (glszm)",
    "gldm": "Gray-level dependence (gldm)",
    "ngtdm": "Neighborhood gray-tone difference (ngtdm)",
}

_METHODS: dict[str, object] = {"shape": mesh, "glcm": glcm, "glrlm": glrlm, "glszm": glszm, "gldm": gldm, "ngtdm": ngtdm}

_INTRODUCTION = """\
# Features

Every node is described by the 107 features of PyRadiomics 3, in the order below and under PyRadiomics' names
(`original_<class>_<name>`). Codes are those of the Image Biomarker Standardisation Initiative (IBSI-1 reference manual).

A region that is empty, a single voxel or a line, or that vanishes on the new grid, is *refused*: its row says why. A feature
that is not a number makes its row *nonfinite* and is named there; two voxels, for example, leave no voxel between the 10th and
the 90th percentile, so that RobustMeanAbsoluteDeviation has no value.

Known differences from PyRadiomics: an 8-bit image whose values lie near the top of its range is binned correctly here, where
PyRadiomics' bin edges overflow. A mask that fills the whole image is measured here, where PyRadiomics finds no label in it.
"""


def features_page() -> str:
    """The page, in Markdown."""
    lines = [
        _INTRODUCTION,
        "## How a region is prepared",
        "",
        _text(resampling),
        "",
        "### Gray levels",
        "",
        _text(bin_edges),
        "",
    ]
    for name in CLASSES:
        lines += [f"## {_TITLES[name]}", ""]
        if name in _METHODS:
            lines += [_text(_METHODS[name]), ""]
        lines += [
            "| feature | definition | unit | IBSI | where PyRadiomics (and axilla) and IBSI differ |",
            "|---|---|---|---|---|",
        ]
        lines += _rows(name)
        lines.append("")
    return "\n".join(lines)


def _text(source: object) -> str:
    return inspect.getdoc(source) or ""


def _rows(feature_class: str) -> Iterator[str]:
    for entry in catalog.FEATURES:
        if entry.feature_class == feature_class:
            cells = (f"`{entry.name}`", entry.definition, entry.unit, entry.ibsi or "none", _difference(entry))
            yield "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"


def _difference(entry: Feature) -> str:
    if entry.differs:
        return entry.differs
    return "" if entry.ibsi else "IBSI does not define it."
