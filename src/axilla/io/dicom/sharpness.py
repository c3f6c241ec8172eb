"""Whether a reconstruction kernel is sharp (lung, bone), from its name.

Names follow the vendors' published families: Siemens B/I/Br/Bl/Hr + number (60 and more sharp; Bl, Br 5x and up lung or
bone), GE STANDARD, SOFT, CHST against LUNG, BONE, EDGE, ULTRA, DETAIL; Canon/Toshiba FC0x-FC1x body, FC3x and FC8x
bone, FC5x lung; Philips A-C soft, D, E, L, Y sharp.
"""

from __future__ import annotations

import re

from axilla.io.dicom.headers import SliceHeader

_SHARP_WORDS = ("LUNG", "BONE", "EDGE", "ULTRA", "SHARP", "DETAIL", "HIGHRES", "HIRES")
_SIEMENS = re.compile(r"^(?:B|I|H|J|Q|BR|BL|BF|BV|HR|HF|UR|UB|QR|SD)(\d{2})[A-Z]*(?:[\\ ]|$)")
_TOSHIBA = re.compile(r"^FC(\d{2})")
_PHILIPS_SHARP = {"D", "E", "F", "L", "YA", "YB", "YC", "YD", "YE", "YL", "Y"}
_SHARP_FROM = 50
"""Siemens' number is the resolution class; 20-49 are soft and medium, lung reading starts at 50."""


def is_sharp(header: SliceHeader) -> bool:
    """Whether the kernel's name belongs to the sharp ones; an unknown or missing name does not."""
    name = header.acquisition.kernel.strip().upper()
    if not name:
        return False
    if any(word in name for word in _SHARP_WORDS):
        return True
    siemens = _SIEMENS.match(name)
    if siemens:
        return int(siemens.group(1)) >= _SHARP_FROM
    toshiba = _TOSHIBA.match(name)
    if toshiba:
        return int(toshiba.group(1)) >= 30
    return "PHILIPS" in header.acquisition.manufacturer.upper() and name.split()[0] in _PHILIPS_SHARP
