"""Radiomics: 107 features per node, as PyRadiomics 3 defines them, from the whole CT and a mask."""

from axilla.radiomics.catalog import FEATURE_NAMES, FEATURES
from axilla.radiomics.extraction import extract, measure
from axilla.radiomics.resampling import Region, sample_region
from axilla.radiomics.settings import RadiomicsSettings

__all__ = ["FEATURES", "FEATURE_NAMES", "RadiomicsSettings", "Region", "extract", "measure", "sample_region"]
