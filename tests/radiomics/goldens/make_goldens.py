"""Write pyradiomics.csv: what PyRadiomics answers for the cases of ../cases.py.

Run it in an environment of its own (PyRadiomics does not install beside axilla):

    pip install numpy setuptools wheel cython versioneer SimpleITK
    pip install --no-build-isolation pyradiomics==3.0.1
    python tests/radiomics/goldens/make_goldens.py
"""

import csv
import json
import logging
import sys
import warnings
from pathlib import Path

import numpy as np
import SimpleITK

import radiomics
from radiomics import featureextractor

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from cases import Case, make_cases  # noqa: E402

SETTINGS = {
    "binWidth": 25,
    "resampledPixelSpacing": [1, 1, 1],
    "interpolator": "sitkBSpline",
    "minimumROIDimensions": 2,
    "additionalInfo": False,
}


NAMES = {
    "bin_width": "binWidth",
    "bin_count": "binCount",
    "resegment_range": "resegmentRange",
    "resegment_mode": "resegmentMode",
    "resegment_shape": "resegmentShape",
    "distances": "distances",
    "minimum_size": "minimumROISize",
    "gldm_alpha": "gldm_a",
    "symmetrical_glcm": "symmetricalGLCM",
    "voxel_array_shift": "voxelArrayShift",
    "voxel_spacing_xyz_mm": "resampledPixelSpacing",
    "interpolator": "interpolator",
}
INTERPOLATORS = {"bspline": "sitkBSpline", "linear": "sitkLinear", "nearest": "sitkNearestNeighbor"}


def settings_of(case: Case) -> dict[str, object]:
    """The case's settings under PyRadiomics' names."""
    chosen = {NAMES[name]: list(value) if isinstance(value, tuple) else value for name, value in case.settings.items()}
    if "interpolator" in chosen:
        chosen["interpolator"] = INTERPOLATORS[chosen["interpolator"]]
    if "gldm_a" in chosen:
        chosen["gldm_a"] = int(chosen["gldm_a"])
    return SETTINGS | chosen


def answer(case: Case) -> dict[str, str]:
    """Status and features of one case."""
    image, mask = (SimpleITK.GetImageFromArray(a) for a in (case.array, case.mask.astype(np.uint8)))
    for item in (image, mask):
        item.SetSpacing(case.spacing_xyz_mm)
        item.SetOrigin(case.origin_xyz_mm)
        item.SetDirection(case.direction)
    try:
        result = featureextractor.RadiomicsFeatureExtractor(**settings_of(case)).execute(image, mask)
    except ValueError as error:
        return {"status": f"refused: {error}"}
    values = {name: float(np.real(value)) for name, value in result.items()}
    bad = [name for name, value in values.items() if not np.isfinite(value)]
    status = f"nonfinite: {', '.join(bad)}" if bad else "ok"
    return {"status": status, **{name: repr(value) for name, value in values.items()}}


def main() -> None:
    """One column per case: provenance first, then the features."""
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    vars(np)["float"] = float  # PyRadiomics 3.0.1 was written for NumPy < 1.24
    cases = make_cases()
    answers = {name: answer(case) for name, case in cases.items()}
    features = sorted({name for found in answers.values() for name in found} - {"status"})
    with (HERE / "pyradiomics.csv").open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["name", *cases])
        writer.writerow(["pyradiomics", *[radiomics.__version__] * len(cases)])
        writer.writerow(["numpy", *[np.__version__] * len(cases)])
        writer.writerow(["simpleitk", *[SimpleITK.Version().VersionString()] * len(cases)])
        writer.writerow(["settings", *[json.dumps(settings_of(case)) for case in cases.values()]])
        writer.writerow(["input_sha256", *[case.sha256 for case in cases.values()]])
        for name in ("status", *features):
            writer.writerow([name, *[answers[case].get(name, "") for case in cases]])


main()
