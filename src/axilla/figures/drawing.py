"""A finished figure together with the numbers it shows, and the one place where matplotlib is set up."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from axilla.errors import InvalidValueError

SVG, PNG, JPEG = "image/svg+xml", "image/png", "image/jpeg"
_SUFFIXES = {SVG: ".svg", PNG: ".png", JPEG: ".jpg"}

# Okabe and Ito (2008), "Color universal design": told apart by every kind of color vision, and in gray by lightness.
BLUE, VERMILION, YELLOW, SKY, GREEN, ORANGE, PURPLE = (
    "#0072B2",
    "#D55E00",
    "#F0E442",
    "#56B4E9",
    "#009E73",
    "#E69F00",
    "#CC79A7",
)
INK, GRAY, PALE = "#1a1f24", "#6b7480", "#dfe3e8"

GROUP_COLORS = {1: BLUE, 2: VERMILION}
GROUP_NAMES = {1: "Group 1 (presumed benign)", 2: "Group 2 (presumed metastatic)"}
STATUS_COLORS = {"benign": SKY, "metastatic": ORANGE, "unlabeled": GRAY}

PAGE_WIDTH_IN = 7.1
"""Between the margins of a printed report (A4 or Letter): a figure this wide is printed at its own size."""

_STYLE: Any = {
    "svg.hashsalt": "axilla",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "Helvetica"],  # measured in the first, shown in what there is
    "font.size": 10.0,
    "axes.titlesize": 11.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GRAY,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "text.parse_math": False,  # words from files are words, also where they hold a dollar sign
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}


@dataclass(frozen=True)
class Drawing:
    """A picture ready for a file or a page.

    Parameters
    ----------
    name : str
        File name without suffix.
    data : bytes
        The image.
    media_type : str
        ``image/svg+xml``, ``image/png`` or ``image/jpeg``.
    alt : str
        What a reader who cannot see it must be told.
    numbers : DataFrame
        The numbers shown, one row per mark.
    size_px : (int, int)
        Width and height at which it is meant to be shown.

    Raises
    ------
    InvalidValueError
        If there is no image, no text for it, or the type is unknown.
    """

    name: str
    data: bytes
    media_type: str
    alt: str
    numbers: pd.DataFrame = field(default_factory=pd.DataFrame)
    size_px: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        if self.media_type not in _SUFFIXES:
            raise InvalidValueError(f"A drawing is one of {', '.join(_SUFFIXES)}, not {self.media_type!r}.")
        if not self.data or not self.alt or not self.name:
            raise InvalidValueError("A drawing needs a name, an image and a text that says what it shows.")

    @property
    def file_name(self) -> str:
        """Name with suffix."""
        return self.name + _SUFFIXES[self.media_type]

    def numbers_csv(self) -> str:
        """The numbers as CSV, full precision."""
        return self.numbers.to_csv(index=False, lineterminator="\n")


@contextmanager
def styled() -> Iterator[None]:
    """The style of all charts, for the time of the block."""
    with mpl.rc_context(_STYLE):
        yield


def new_figure(width_in: float, height_in: float, *, is_arranged: bool = True) -> Figure:
    """An empty figure that belongs to no window; its panels are arranged to fit unless `is_arranged` is false."""
    figure = Figure(figsize=(width_in, height_in), layout="constrained" if is_arranged else None)
    FigureCanvasAgg(figure)
    return figure


def finish(figure: Figure, name: str, alt: str, numbers: pd.DataFrame) -> Drawing:
    """The figure as SVG; equal input gives equal bytes. Call inside :func:`styled`."""
    stream = io.BytesIO()
    figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    width, height = (round(inches * 96) for inches in figure.get_size_inches())
    return Drawing(name, stream.getvalue(), SVG, alt, numbers.reset_index(drop=True), (width, height))


def say_nothing_to_show(axes: Axes, sentence: str) -> None:
    """An honest empty panel."""
    axes.set_axis_off()
    axes.text(0.5, 0.5, sentence, ha="center", va="center", color=GRAY, wrap=True, transform=axes.transAxes)
