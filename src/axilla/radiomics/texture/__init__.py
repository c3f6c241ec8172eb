"""Texture: five matrices of the gray levels, and the features of each."""
