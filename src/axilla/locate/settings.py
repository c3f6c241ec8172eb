"""Defaults of the locate stage."""

from __future__ import annotations

from dataclasses import dataclass, field

from axilla.anatomy import AnatomySettings
from axilla.segment import SegmentSettings


@dataclass(frozen=True)
class LocateSettings:
    """Sizes, gray values and shape limits by which nodes are told from vessels and muscle."""

    anatomy: AnatomySettings = field(default_factory=AnatomySettings)
    """Where the axillae are looked for."""

    segment: SegmentSettings = field(default_factory=SegmentSettings)
    """How soft tissue is cut into lumps."""

    min_score: float = 0.35
    """Candidates at or above this detection score become nodes: about one false node per axilla on phantom-1 seeds the model was
    not fitted to (docs/locate.md); above it, small nodes are lost faster than stubs of vessels."""

    margin_mm: float = 9.0
    """Working box around the axilla: walls must be wide enough to be recognized as muscle."""

    fine_slice_mm: float = 1.5
    """Slices farther apart than this are interpolated (cubic spline along z) to about 1 mm for shape analysis."""

    target_noise_hu: float = 14.0
    """Noisier scans are smoothed until fat's standard deviation is about this: a fifth of the step from fat to the threshold."""

    muscle_core_mm: float = 3.0
    """Muscle is what a ball of this radius fits into, where such places join into a large whole."""

    muscle_core_ml: float = 4.0
    """A core of this size belongs to a ball of 26 mm: larger than the nodes looked for."""

    node_core_ballness: float = 0.3
    """... unless its inscribed ball takes this share of it: a large round node, for no muscle is round in all planes."""

    muscle_core_length_mm: float = 45.0
    """A core this long is a muscle, not a node."""

    pad_opening_mm: float = 3.0
    """The fat pad is what a ball of this radius can reach between the walls: seams between muscles are left out."""

    min_pad_ml: float = 4.0
    """Smaller pockets of fat hold no search."""

    near_pad_mm: float = 5.0
    """Soft tissue this far from the pad is still looked at."""

    closing_mm: float = 1.5
    """Ball that closes narrow mouths of fatty hila."""

    max_hole_mm3: float = 2000.0
    """Enclosed fat up to this volume is a hilum (a ball of 16 mm); larger holes are fat between vessels."""

    max_hole_area_mm2: float = 110.0
    """The same for fat enclosed in one axial slice."""

    vessel_share: float = 0.85
    """Soft tissue this far from muscle to blood in density is a vessel's core: nodes enhance to about half."""

    min_vessel_mm3: float = 30.0
    """Smaller dense spots are noise, clips or calcium."""

    vessel_rim_mm: float = 1.5
    """Rim of partial volume around a vessel's core that belongs to the vessel."""

    dense_shares: tuple[float, ...] = (0.7, 0.9)
    """Nodes are also looked for in what is denser than these shares of the step from fat to muscle: strands of fascia and partial
    volume no longer connect them to their neighbors there."""

    dense_rim_mm: float = 1.2
    """Rim given back to what was found in denser tissue: about the blur of a CT."""

    min_passage: float = 0.3
    """Parts are joined down to passages of this share of the thinner part's radius."""

    bulge_radius_mm: float = 2.5
    """Parts of muscle thinner than this are slips."""

    bulge_share: float = 0.35
    """Parts of muscle are looked at where this share of their surface faces fat."""

    faint_share: float = 0.3
    """Rays also run to this share of the step from fat to a candidate's density: a vessel that leaves a slice goes on faintly."""

    crowd_mm: float = 16.0
    """Box around a candidate in which soft tissue is counted: nerves and vessels run in bundles."""

    max_overlap: float = 0.25
    """Share of a candidate that may already belong to a likelier one."""

    max_pieces: int = 40
    """A node is not cut into more pieces than this; a tangle of vessels is."""

    max_volume_mm3: float = 15000.0
    """Nothing larger is a node (a ball of 30 mm)."""

    min_volume_mm3: float = 12.0
    """A ball of 2.8 mm: the smallest the paper's nodes are."""

    min_trimmed_share: float = 0.3
    """An outline that would keep less than this at half of its own density stays as it was cut."""

    hilum_mouth_mm: float = 14.0
    """A notch in the outline narrower than this is a hilum and belongs to the node: a C-shaped node of 18 mm opens that wide."""

    max_hilum_share: float = 0.6
    """Largest share of a node that fat taken in as hilum may be."""
