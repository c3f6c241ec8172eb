"""What PyRadiomics answers for the parameter files beside this script, on regions of ``tests/radiomics/cases.py``.

Run it in an environment of its own (PyRadiomics does not install beside axilla):

    pip install numpy setuptools wheel cython versioneer SimpleITK
    pip install --no-build-isolation pyradiomics==3.0.1
    python tests/io/parameters/make_goldens.py          # writes pyradiomics.csv: one region per file
    python tests/io/parameters/make_goldens.py --print  # prints every region for every file

Features that a file does not ask for are asked for here all the same, because axilla measures all.
"""

from __future__ import annotations

import csv
import importlib.util
import itertools
import logging
import sys
import warnings
from pathlib import Path
from types import ModuleType

import numpy as np
import SimpleITK

import radiomics
from radiomics import featureextractor

HERE = Path(__file__).resolve().parent
REGIONS = ("node_thin", "crescent_float", "node_two_mm_flipped")
CLASSES = ("shape", "firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm")


def load_cases() -> ModuleType:
    """The regions."""
    path = HERE.parents[1] / "radiomics" / "cases.py"
    spec = importlib.util.spec_from_file_location("cases", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["cases"] = module
    spec.loader.exec_module(module)
    return module


def answer(case: object, file: Path) -> dict[str, str]:
    """Status and features of one region under one parameter file."""
    image, mask = (SimpleITK.GetImageFromArray(a) for a in (case.array, case.mask.astype(np.uint8)))
    for item in (image, mask):
        item.SetSpacing(case.spacing_xyz_mm)
        item.SetOrigin(case.origin_xyz_mm)
        item.SetDirection(case.direction)
    extractor = featureextractor.RadiomicsFeatureExtractor(str(file))
    extractor.settings["additionalInfo"] = False
    extractor.enabledFeatures = {name: [] for name in CLASSES}
    try:
        result = extractor.execute(image, mask)
    except ValueError as error:
        return {"status": f"refused: {error}"}
    values = {name: float(np.real(value)) for name, value in result.items()}
    bad = [name for name, value in values.items() if not np.isfinite(value)]
    status = f"nonfinite: {', '.join(bad)}" if bad else "ok"
    return {"status": status, **{name: repr(value) for name, value in values.items()}}


def main() -> None:
    """One column per file and region: provenance first, then the features."""
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    vars(np)["float"] = float  # PyRadiomics 3.0.1 was written for NumPy < 1.24
    made = load_cases().make_cases()
    files = sorted(HERE.glob("*.yaml"))
    is_all = "--print" in sys.argv
    pairs = list(itertools.product(files, REGIONS) if is_all else zip(files, itertools.cycle(REGIONS)))
    answers = [answer(made[region], file) for file, region in pairs]
    features = sorted({name for found in answers for name in found} - {"status"})
    stream = sys.stdout if is_all else (HERE / "pyradiomics.csv").open("w", newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["file", *(file.name for file, _ in pairs)])
    writer.writerow(["region", *(region for _, region in pairs)])
    writer.writerow(["pyradiomics", *[radiomics.__version__] * len(pairs)])
    writer.writerow(["numpy", *[np.__version__] * len(pairs)])
    writer.writerow(["simpleitk", *[SimpleITK.Version().VersionString()] * len(pairs)])
    writer.writerow(["input_sha256", *(made[region].sha256 for _, region in pairs)])
    for name in ("status", *features):
        writer.writerow([name, *(found.get(name, "") for found in answers)])


main()
