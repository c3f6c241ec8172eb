"""Texture: five matrices of the gray levels, and the features of each."""

from axilla.radiomics.texture import glcm, gldm, glrlm, glszm, ngtdm

__all__ = ["glcm", "gldm", "glrlm", "glszm", "ngtdm"]
