"""flash-radiomics on the CPU; it speaks PyRadiomics' names."""

import importlib.metadata
import logging
import tempfile
import warnings
from pathlib import Path

import SimpleITK
from flash_radiomics import RadiomicsFeatureExtractor
from protocol import serve

logging.disable(logging.CRITICAL)
warnings.simplefilter("ignore")
SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
EXTRACTOR = RadiomicsFeatureExtractor(
    backend="cpu", binWidth=25, resampledPixelSpacing=[1, 1, 1], interpolator="sitkBSpline", additionalInfo=False
)
OUT = Path(tempfile.mkdtemp()) / "features.h5"  # it always writes one


def load(image, mask):
    return SimpleITK.ReadImage(image), SimpleITK.ReadImage(mask)


def measure(loaded, labels):
    found = []
    for label in labels:
        found.append(EXTRACTOR.execute(*loaded, label=label, output_hdf5_path=str(OUT), case_id="a", roi_id="b", roi_name="c"))
        OUT.unlink(missing_ok=True)
    return found


def rows(found):
    return [{name: value for name, value in each.items() if name.startswith("original_")} for each in found]


serve(importlib.metadata.version("flash-radiomics"), load, measure, rows)
