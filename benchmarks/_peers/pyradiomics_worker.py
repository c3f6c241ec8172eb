"""PyRadiomics 3.0.1, as its users call it: a SimpleITK image, a mask and a label."""

import logging
import warnings

import numpy
import SimpleITK
from protocol import serve

import radiomics
from radiomics import featureextractor

logging.disable(logging.CRITICAL)
warnings.simplefilter("ignore")
vars(numpy)["float"] = float  # PyRadiomics 3.0.1 was written for NumPy < 1.24
SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
EXTRACTOR = featureextractor.RadiomicsFeatureExtractor(
    binWidth=25, resampledPixelSpacing=[1, 1, 1], interpolator="sitkBSpline", additionalInfo=False
)


def load(image, mask):
    return SimpleITK.ReadImage(image), SimpleITK.ReadImage(mask)


def measure(loaded, labels):
    return [EXTRACTOR.execute(*loaded, label=label) for label in labels]


serve(radiomics.__version__, load, measure)
