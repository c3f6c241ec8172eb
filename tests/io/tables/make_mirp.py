"""Write mirp.csv anew: what MIRP says of the regions of cases.py. Needs MIRP and SimpleITK; not run by the tests.

Made with MIRP 2.7.0, NumPy 2.4.6: no resampling, bins of 25 HU from 0 HU on, matrices in 3D, features averaged over directions.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import SimpleITK as sitk
from cases import RADII_ZYX, case
from mirp import extract_features

if __name__ == "__main__":
    tables = []
    with TemporaryDirectory() as folder:
        for name in RADII_ZYX:
            paths = [f"{folder}/{name}.nii.gz", f"{folder}/R01.nii.gz"]
            for array, path in zip(case(name), paths, strict=True):
                sitk.WriteImage(sitk.GetImageFromArray(array), path)
            tables += extract_features(
                image=paths[0],
                mask=paths[1],
                sample_name=name,
                image_modality="ct",
                by_slice=False,
                anti_aliasing=False,
                resegmentation_intensity_range=[0.0, 1000.0],
                base_discretisation_method="fixed_bin_size",
                base_discretisation_bin_width=25.0,
                base_feature_families="all",
                glcm_distance=1.0,
                glcm_spatial_method="3d_average",
                glrlm_spatial_method="3d_average",
            )
    frame = pd.concat(tables, ignore_index=True).assign(image_directory="images", image_mask_directory="masks")
    frame.to_csv(Path(__file__).with_name("mirp.csv"), index=False)
