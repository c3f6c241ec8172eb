"""Skin, lungs and bones at the CT's own resolution, for pictures: the coarse anatomy says where, the CT says exactly where."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from axilla.anatomy.noun import Anatomy
from axilla.anatomy.settings import AnatomySettings
from axilla.volume import BoolArray, Volume

_REACH_BLOCKS = 1
"""Coarse masks are widened by this many blocks (about 3 mm) before the CT's own edge is looked for inside."""

_DEFAULTS = AnatomySettings()


def context_masks(volume: Volume, anatomy: Anatomy, settings: AnatomySettings = _DEFAULTS) -> dict[str, BoolArray]:
    """Masks ``skin`` (the filled body), ``lungs`` and ``bones`` on the CT's grid; a part that is not in the field is left out."""
    hu = volume.array
    core = ndimage.binary_erosion(anatomy.masks["body"], iterations=_REACH_BLOCKS)
    masks = {
        "skin": (_near(anatomy, "body") & (hu > settings.body_hu)) | anatomy.grid.to_ct(np.asarray(core)),
        "lungs": _near(anatomy, "lungs") & (hu < settings.air_hu),
        "bones": _near(anatomy, "bones") & (hu > settings.bone_hu),
    }
    return {name: mask for name, mask in masks.items() if mask.any()}


def _near(anatomy: Anatomy, name: str) -> BoolArray:
    wide = ndimage.binary_dilation(anatomy.masks[name], iterations=_REACH_BLOCKS)
    return anatomy.grid.to_ct(np.asarray(wide))
