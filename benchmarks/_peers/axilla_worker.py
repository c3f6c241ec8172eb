"""axilla, asked as the peers are; in $AXILLA_BENCHMARK_JOBS threads."""

import os
from dataclasses import replace
from pathlib import Path

from protocol import serve

from axilla import __version__
from axilla.io import read_ct
from axilla.io.exchange import read_mask
from axilla.node import Segmentation
from axilla.pipeline.extraction import AS_STORED
from axilla.radiomics import FEATURE_NAMES, extract

JOBS = int(os.environ.get("AXILLA_BENCHMARK_JOBS", "1"))


def load(image, mask):
    volume = read_ct(Path(image), image=AS_STORED).volume
    segmentation = read_mask(Path(mask), volume.geometry).segmentation
    return volume, {segment.label: segment for segment in segmentation.segments}


def measure(loaded, labels):
    volume, segments = loaded
    chosen = tuple(replace(segments[label], label=number) for number, label in enumerate(labels, start=1))
    return extract(volume, Segmentation(volume.geometry, chosen), jobs=JOBS)


def rows(table):
    return [dict(zip(FEATURE_NAMES, row, strict=True)) for row in table.values(FEATURE_NAMES)]


serve(__version__, load, measure, rows)
