"""MIRP's features under PyRadiomics' names.

Both follow the definitions of the Image Biomarker Standardisation Initiative (Zwanenburg A et al., Radiology 2020;295:328-338),
so most features differ in name only; MIRP's kurtosis is the excess over that of a normal distribution. On the same voxels and
bins the two agree to MIRP's single precision, but for features of the mesh, whose triangles they lay differently (2 %), and the
lengths of the axes (MIRP divides by n - 1, PyRadiomics by n). MIRP has no diameters within slices and no maximal correlation
coefficient. MIRP starts its bins at the smallest value or at the lower end of its resegmentation range,
PyRadiomics at a multiple of their width: texture of the two tools is not to be mixed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import pandas as pd

from axilla.errors import InputRefusedError

_EXCESS = 3.0
"""Kurtosis of a normal distribution."""

MIRP_NAMES: Mapping[str, str] = {
    "morph_pca_elongation": "shape_Elongation",
    "morph_pca_flatness": "shape_Flatness",
    "morph_pca_least_axis": "shape_LeastAxisLength",
    "morph_pca_maj_axis": "shape_MajorAxisLength",
    "morph_diam": "shape_Maximum3DDiameter",
    "morph_volume": "shape_MeshVolume",
    "morph_pca_min_axis": "shape_MinorAxisLength",
    "morph_sphericity": "shape_Sphericity",
    "morph_area_mesh": "shape_SurfaceArea",
    "morph_av": "shape_SurfaceVolumeRatio",
    "morph_vol_approx": "shape_VoxelVolume",
    "stat_p10": "firstorder_10Percentile",
    "stat_p90": "firstorder_90Percentile",
    "stat_energy": "firstorder_Energy",
    "ih_entropy": "firstorder_Entropy",
    "stat_iqr": "firstorder_InterquartileRange",
    "stat_kurt": "firstorder_Kurtosis",
    "stat_max": "firstorder_Maximum",
    "stat_mad": "firstorder_MeanAbsoluteDeviation",
    "stat_mean": "firstorder_Mean",
    "stat_median": "firstorder_Median",
    "stat_min": "firstorder_Minimum",
    "stat_range": "firstorder_Range",
    "stat_rmad": "firstorder_RobustMeanAbsoluteDeviation",
    "stat_rms": "firstorder_RootMeanSquared",
    "stat_skew": "firstorder_Skewness",
    "ih_uniformity": "firstorder_Uniformity",
    "stat_var": "firstorder_Variance",
    "cm_auto_corr": "glcm_Autocorrelation",
    "cm_clust_prom": "glcm_ClusterProminence",
    "cm_clust_shade": "glcm_ClusterShade",
    "cm_clust_tend": "glcm_ClusterTendency",
    "cm_contrast": "glcm_Contrast",
    "cm_corr": "glcm_Correlation",
    "cm_diff_avg": "glcm_DifferenceAverage",
    "cm_diff_entr": "glcm_DifferenceEntropy",
    "cm_diff_var": "glcm_DifferenceVariance",
    "cm_inv_diff": "glcm_Id",
    "cm_inv_diff_mom": "glcm_Idm",
    "cm_inv_diff_mom_norm": "glcm_Idmn",
    "cm_inv_diff_norm": "glcm_Idn",
    "cm_info_corr1": "glcm_Imc1",
    "cm_info_corr2": "glcm_Imc2",
    "cm_inv_var": "glcm_InverseVariance",
    "cm_joint_avg": "glcm_JointAverage",
    "cm_energy": "glcm_JointEnergy",
    "cm_joint_entr": "glcm_JointEntropy",
    "cm_joint_max": "glcm_MaximumProbability",
    "cm_sum_avg": "glcm_SumAverage",
    "cm_sum_entr": "glcm_SumEntropy",
    "cm_joint_var": "glcm_SumSquares",
    "rlm_glnu": "glrlm_GrayLevelNonUniformity",
    "rlm_glnu_norm": "glrlm_GrayLevelNonUniformityNormalized",
    "rlm_gl_var": "glrlm_GrayLevelVariance",
    "rlm_hgre": "glrlm_HighGrayLevelRunEmphasis",
    "rlm_lre": "glrlm_LongRunEmphasis",
    "rlm_lrhge": "glrlm_LongRunHighGrayLevelEmphasis",
    "rlm_lrlge": "glrlm_LongRunLowGrayLevelEmphasis",
    "rlm_lgre": "glrlm_LowGrayLevelRunEmphasis",
    "rlm_rl_entr": "glrlm_RunEntropy",
    "rlm_rlnu": "glrlm_RunLengthNonUniformity",
    "rlm_rlnu_norm": "glrlm_RunLengthNonUniformityNormalized",
    "rlm_r_perc": "glrlm_RunPercentage",
    "rlm_rl_var": "glrlm_RunVariance",
    "rlm_sre": "glrlm_ShortRunEmphasis",
    "rlm_srhge": "glrlm_ShortRunHighGrayLevelEmphasis",
    "rlm_srlge": "glrlm_ShortRunLowGrayLevelEmphasis",
    "szm_glnu": "glszm_GrayLevelNonUniformity",
    "szm_glnu_norm": "glszm_GrayLevelNonUniformityNormalized",
    "szm_gl_var": "glszm_GrayLevelVariance",
    "szm_hgze": "glszm_HighGrayLevelZoneEmphasis",
    "szm_lze": "glszm_LargeAreaEmphasis",
    "szm_lzhge": "glszm_LargeAreaHighGrayLevelEmphasis",
    "szm_lzlge": "glszm_LargeAreaLowGrayLevelEmphasis",
    "szm_lgze": "glszm_LowGrayLevelZoneEmphasis",
    "szm_zsnu": "glszm_SizeZoneNonUniformity",
    "szm_zsnu_norm": "glszm_SizeZoneNonUniformityNormalized",
    "szm_sze": "glszm_SmallAreaEmphasis",
    "szm_szhge": "glszm_SmallAreaHighGrayLevelEmphasis",
    "szm_szlge": "glszm_SmallAreaLowGrayLevelEmphasis",
    "szm_zs_entr": "glszm_ZoneEntropy",
    "szm_z_perc": "glszm_ZonePercentage",
    "szm_zs_var": "glszm_ZoneVariance",
    "ngl_dc_entr": "gldm_DependenceEntropy",
    "ngl_dcnu": "gldm_DependenceNonUniformity",
    "ngl_dcnu_norm": "gldm_DependenceNonUniformityNormalized",
    "ngl_dc_var": "gldm_DependenceVariance",
    "ngl_glnu": "gldm_GrayLevelNonUniformity",
    "ngl_gl_var": "gldm_GrayLevelVariance",
    "ngl_hgce": "gldm_HighGrayLevelEmphasis",
    "ngl_hde": "gldm_LargeDependenceEmphasis",
    "ngl_hdhge": "gldm_LargeDependenceHighGrayLevelEmphasis",
    "ngl_hdlge": "gldm_LargeDependenceLowGrayLevelEmphasis",
    "ngl_lgce": "gldm_LowGrayLevelEmphasis",
    "ngl_lde": "gldm_SmallDependenceEmphasis",
    "ngl_ldhge": "gldm_SmallDependenceHighGrayLevelEmphasis",
    "ngl_ldlge": "gldm_SmallDependenceLowGrayLevelEmphasis",
    "ngt_busyness": "ngtdm_Busyness",
    "ngt_coarseness": "ngtdm_Coarseness",
    "ngt_complexity": "ngtdm_Complexity",
    "ngt_contrast": "ngtdm_Contrast",
    "ngt_strength": "ngtdm_Strength",
}
"""MIRP's name, without what it appends (distance, aggregation, bins), and PyRadiomics' name without ``original_``."""

_APPENDED = re.compile(r"(_d[\d.]+)?(_a[\d.]+)?(_(2|2\.5|3)d(_(v_)?(avg|mrg|d_mrg|s_mrg))?)?(_fb[sn]_[wn][\d.]+)?")


def mirp_features(frame: pd.DataFrame) -> pd.DataFrame:
    """MIRP's columns that PyRadiomics has too, under its names and by its definitions; features of filtered images are left.

    Raises
    ------
    InputRefusedError
        If a feature stands there with several settings: which one is meant cannot be told.
    """
    found: dict[str, str] = {}
    for column in map(str, frame.columns):
        name = _plain_name(column)
        if name in found:
            raise InputRefusedError(
                f"The feature {name} stands in this table with several settings ({found[name]} and {column}); "
                "leave the columns of one."
            )
        if name:
            found[name] = column
    values = {f"original_{MIRP_NAMES[name]}": pd.to_numeric(frame[column], errors="coerce") for name, column in found.items()}
    if "stat_kurt" in found:
        values["original_firstorder_Kurtosis"] = values["original_firstorder_Kurtosis"] + _EXCESS
    sizes = [f"image_voxel_size_{axis}" for axis in "xyz"]
    if "stat_energy" in found and set(sizes) <= set(frame.columns):
        volume = frame[sizes].apply(pd.to_numeric, errors="coerce").prod(axis=1, skipna=False)
        values["original_firstorder_TotalEnergy"] = values["original_firstorder_Energy"] * volume
    return pd.DataFrame(values, index=frame.index).astype(np.float64)


def _plain_name(column: str) -> str:
    """MIRP's name without what it appends; empty for other columns."""
    parts = column.split("_")
    for size in range(len(parts), 0, -1):
        name = "_".join(parts[:size])
        if name in MIRP_NAMES:
            return name if _APPENDED.fullmatch(column[len(name) :]) else ""
    return ""
