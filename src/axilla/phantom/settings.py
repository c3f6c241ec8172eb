"""What a synthetic CT and a synthetic cohort are asked to be: every default of the phantom, once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np

from axilla.errors import InvalidValueError
from axilla.volume import TripleFloat, TripleInt

PHANTOM_VERSION = "phantom-1"
"""Named in every figure measured on the phantom. Changing pixels for a given seed needs a new version."""

Sex = Literal["female", "male"]
Arms = Literal["raised", "down"]
Contrast = Literal["none", "arterial", "mixed", "venous"]
Injection = Literal["R", "L", "none"]
Position = Literal["supine", "prone"]

MAX_VOXELS = 120_000_000
"""512 x 512 x 450: beyond this a case would not fit the memory of an ordinary laptop."""


def _check(name: str, value: float, low: float, high: float, unit: str) -> None:
    if not (np.isfinite(value) and low <= value <= high):
        raise InvalidValueError(f"The phantom's {name} must lie in {low:g}..{high:g} {unit}".rstrip() + f", not {value}.")


@dataclass(frozen=True)
class ScannerProfile:
    """How a scanner renders the same anatomy."""

    name: str = "scanner A"
    """Model name written into the acquisition."""

    kernel: str = "soft"
    """Reconstruction kernel's name as a DICOM header would give it."""

    resolution_mm: float = 0.95
    """Full width at half maximum of the in-plane point spread, mm; soft-tissue kernels of body CT reach about 0.9-1.2."""

    edge_enhancement: float = 0.0
    """Overshoot of the transfer function at middle frequencies (0 none; 0.5 a sharp kernel that draws dark rims)."""

    noise_peak_per_mm: float = 0.22
    """Spatial frequency where the noise power is largest, 1/mm: coarse grain for soft kernels, fine for sharp ones."""

    noise_factor: float = 1.0
    """Multiplies the noise SD asked for: sharp kernels are noisier at the same dose."""

    slice_correlation: float = 0.25
    """Share of a slice's noise that its lower neighbor has too (overlapping helical interpolation)."""

    def __post_init__(self) -> None:
        _check("point spread", self.resolution_mm, 0.3, 3.0, "mm")
        _check("edge enhancement", self.edge_enhancement, 0.0, 1.5, "")
        _check("noise peak", self.noise_peak_per_mm, 0.02, 1.0, "1/mm")
        _check("noise factor", self.noise_factor, 0.0, 5.0, "")
        _check("slice correlation", self.slice_correlation, 0.0, 0.9, "")


SCANNERS: dict[str, ScannerProfile] = {
    "A": ScannerProfile("scanner A", "soft", 0.95, 0.0, 0.22, 1.0, 0.25),
    "B": ScannerProfile("scanner B", "medium", 0.80, 0.15, 0.28, 1.15, 0.15),
    "C": ScannerProfile("scanner C", "smooth", 1.20, 0.0, 0.17, 0.85, 0.35),
    "sharp": ScannerProfile("scanner A", "sharp", 0.60, 0.6, 0.45, 1.8, 0.1),
}
"""Three soft-tissue profiles, as the paper's three makers, and a sharp one that results should be warned about."""


@dataclass(frozen=True)
class PhantomSettings:
    """One synthetic CT: grid, body, contrast, scanner."""

    shape_zyx: TripleInt = (112, 384, 384)
    """Voxels along z, y, x. The default covers both axillae from above the clavicle to below the axilla."""

    spacing_xyz_mm: TripleFloat = (1.2, 1.2, 1.5)
    """Voxel spacing, mm. The default keeps a 6 mm node five voxels wide at a fraction of a full scan's cost."""

    top_mm: float = 18.0
    """Height of the uppermost slice above the center of the humeral head, mm; the arms leave the field there."""

    shift_xy_mm: tuple[float, float] = (0.0, 0.0)
    """Offset of the field's center from the middle of the body, mm (a patient lying off center)."""

    allow_partial_axilla: bool = False
    """Accept a grid that cuts an axilla (for tests of coverage); nodes outside the field are then not in the truth."""

    sex: Sex = "female"
    """Female bodies are smaller, have breasts with glandular tissue and thinner muscles."""

    habitus: float = 0.4
    """0 thin .. 1 obese: subcutaneous and axillary fat."""

    muscularity: float = 0.5
    """0 slender .. 1 athletic: thickness of the muscles."""

    gland_density: float = 0.35
    """Share of the breast's core that is glandular tissue, 0 fatty .. 1 dense; female only."""

    arms: Arms = "raised"
    """Raised is the paper's protocol and keeps the humerus out of the lower field; down is a harder, wider case."""

    contrast: Contrast = "venous"
    """none; arterial (bright arteries, dense injected vein); mixed; venous (both moderate), the paper's phase."""

    injection_side: Injection = "none"
    """Arm into which contrast still flows: its axillary vein is dense (to 600 HU) and streaks."""

    position: Position = "supine"
    """Prone: the couch is in front of the chest, and the image comes rotated, as a scanner stores it (patient position HFP)."""

    clips: Injection = "none"
    """Side with surgical clips in its axillary fat: small metal with streaks, as after sentinel biopsy or marking."""

    port: Injection = "none"
    """Side with a port under the skin and its catheter through the subclavian vein: metal near the axilla."""

    scanner: ScannerProfile = field(default_factory=lambda: SCANNERS["A"])
    """Resolution and noise texture."""

    noise_sd_hu: float = 11.0
    """Noise SD in soft tissue, HU, at 1 mm slices and a medium body, before the scanner's factor. Thinner slices and larger
    bodies are noisier, thicker slices quieter, each by a square root. 8-14 is usual; 5-30 is accepted."""

    node_count_per_side: tuple[int, int] = (5, 12)
    """Fewest and most nodes of an axilla; dissections of the paper found 7.6-12.3 on average."""

    def __post_init__(self) -> None:
        shape = tuple(int(n) for n in self.shape_zyx)
        if len(shape) != 3 or min(shape) < 8:
            raise InvalidValueError(f"A phantom needs at least 8 voxels along z, y and x, not {self.shape_zyx}.")
        if int(np.prod(shape)) > MAX_VOXELS:
            raise InvalidValueError(f"A phantom of {self.shape_zyx} voxels is too large; {MAX_VOXELS} voxels is the most.")
        for spacing in self.spacing_xyz_mm:
            _check("voxel spacing", spacing, 0.3, 10.0, "mm")
        for name, choice, allowed in (
            ("sex", self.sex, get_args(Sex)),
            ("arms", self.arms, get_args(Arms)),
            ("contrast", self.contrast, get_args(Contrast)),
            ("injection side", self.injection_side, get_args(Injection)),
            ("position", self.position, get_args(Position)),
            ("side with clips", self.clips, get_args(Injection)),
            ("side with a port", self.port, get_args(Injection)),
        ):
            if choice not in allowed:
                raise InvalidValueError(f"The phantom's {name} is one of {', '.join(allowed)}, not {choice!r}.")
        for name, value in (("habitus", self.habitus), ("muscularity", self.muscularity), ("gland density", self.gland_density)):
            _check(name, value, 0.0, 1.0, "")
        if self.noise_sd_hu != 0:
            _check("noise SD", self.noise_sd_hu, 1.0, 60.0, "HU")
        _check("top of the field", self.top_mm, -150.0, 60.0, "mm")
        low, high = self.node_count_per_side
        if not 0 < low <= high <= 15:
            raise InvalidValueError(f"Nodes per side must be a range within 1..15, not {self.node_count_per_side}.")
        if not self.allow_partial_axilla:
            self._check_field()

    def _check_field(self) -> None:
        z, y, x = (n * s for n, s in zip(self.shape_zyx, self.spacing_xyz_mm[::-1], strict=True))
        if z < 140 or y < 240 or x < 380 or self.top_mm < 10:
            raise InvalidValueError(
                f"The grid of {x:.0f} x {y:.0f} x {z:.0f} mm with its top at {self.top_mm:g} mm cuts the axillae; give at least "
                "380 x 240 x 140 mm (x, y, z) and top 10 mm, or set allow_partial_axilla."
            )


@dataclass(frozen=True)
class CohortSettings:
    """Who is simulated, in which proportions, and how the scans vary."""

    phantom: PhantomSettings = field(default_factory=PhantomSettings)
    """Grid and whatever is not varied between patients."""

    role_counts: tuple[int, int, int, int] = (190, 123, 37, 128)
    """Proportions training : benign validation : metastatic validation : cN0; the paper's cohorts (Qu et al. 2024)."""

    cn0_positive_counts: tuple[int, int] = (38, 90)
    """Proportion of cN0 patients with and without a metastatic sentinel node; the paper's Table 2."""

    ineligible_share: float = 0.05
    """Share of patients who fail an eligibility criterion, so that screening has something to do; every 20th by default."""

    vary_scans: bool = True
    """Draw habitus, contrast, injection side, scanner and noise per patient; otherwise take them from `phantom`."""

    male_share: float = 0.0
    """Share of men; the paper does not report any."""

    def __post_init__(self) -> None:
        if len(self.role_counts) != 4 or min(self.role_counts) < 0 or sum(self.role_counts) == 0:
            raise InvalidValueError(f"Role proportions must be four counts, not all zero, not {self.role_counts}.")
        if min(self.cn0_positive_counts) < 0 or sum(self.cn0_positive_counts) == 0:
            raise InvalidValueError(f"cN0 proportions must be two counts, not both zero, not {self.cn0_positive_counts}.")
        _check("share of ineligible patients", self.ineligible_share, 0.0, 0.9, "")
        _check("share of men", self.male_share, 0.0, 1.0, "")
