"""Defaults of the anatomy stage."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class AnatomySettings:
    """Sizes and gray values that find the body's parts on a coarse copy of the CT."""

    coarse_spacing_mm: float = 3.0
    """Voxel size of the copy on which anatomy is found: muscles and ribs are larger, and it costs one second."""

    body_hu: float = -300.0
    """Skin against air; halfway between air (-1000) and tissue, with room for blankets."""

    body_opening_mm: float = 6.0
    """In-plane disk that removes what is thinner than an arm: table shell, blankets, tubes."""

    air_hu: float = -400.0
    """Lung against soft tissue at coarse spacing."""

    min_lung_ml: float = 60.0
    """Air spaces smaller than this are trachea, esophagus or bowel."""

    min_lungs_ml: float = 250.0
    """With less lung than this in the field there is no chest to reason from."""

    chest_cut_depth: float = 0.75
    """A body this deep at the field's border, as a share of its depth in that slice, is cut inside the chest: a cut arm or
    flank is shallower (an ellipse is this deep at two thirds of its half width)."""

    chest_cut_share: float = 0.5
    """In more than this share of the slices with lung."""

    apex_area_mm2: float = 500.0
    """A slice belongs to a lung if the lung covers more than this; below it, the apex is a tip of partial volume."""

    apex_from_midline_mm: float = 22.0
    """Only air this far from the midline counts for the apex: the trachea otherwise reaches every slice of the neck."""

    cage_margin_mm: float = 6.0
    """From the lungs' hull to the outside of the ribs."""

    mirror_below: float = 0.4
    """A lung smaller than this share of the other (effusion, collapse) is replaced by the other's mirror image."""

    skin_mm: float = 6.0
    """Depth of skin and the vessels just under it, where no muscle is looked for."""

    muscle_opening_mm: float = 4.5
    """In-plane disk that keeps muscles and drops vessels, nodes and fascia."""

    min_muscle_ml: float = 15.0
    """Smaller soft-tissue pieces (breast lobules, large vessels) do not define the axilla's walls."""

    hull_margin_mm: float = 6.0
    """Beyond the line from the pectoral to the latissimus edge: nodes bulge a little over it."""

    medial_share: float = 0.45
    """The axilla starts this far from the midline, as a share of the lungs' largest half width (level III lies here)."""

    depth_share: float = 0.97
    """Posterior limit, as a share of the lungs' depth: behind it lie only the back muscles."""

    behind_scapula_mm: float = 9.0
    """The region reaches this far behind the front of the shoulder's bones: subscapular nodes lie before the scapula."""

    front_shares: tuple[float, float] = (0.06, 0.25)
    """Anterior limit as a share of the lungs' depth, in the upper half of the axilla and at its lower end: the pectorals end
    there, and what lies further in front is breast."""

    below_apex_mm: float = 135.0
    """Lower limit below the lung apex: about the fifth rib."""

    above_apex_mm: float = 5.0
    """Upper limit above the lung apex: the axillary vein with raised arms."""

    below_scapula_mm: float = 30.0
    """Lower limit below the shoulder blade's tip, for CTs that end below the apex."""

    min_scapula_ml: float = 3.0
    """With less shoulder bone than this beside the cage there is no axilla in the field."""

    scapula_gap_mm: float = 10.0
    """Bone this far outside the cage is shoulder, not rib."""

    bone_hu: float = 190.0
    """Bone at coarse spacing: marrow mixed with cortex."""

    min_fat_ml: float = 15.0
    """With less fat than this between the walls, nodes cannot be told from muscle and the side counts as absent."""

    cut_above_mm: float = 6.0
    """A lung this near to the first slice is cut: the axilla's upper part is not in the field."""

    min_length_mm: float = 90.0
    """A whole axilla reaches at least this far below the lung apex."""

    lateral_cut_share: float = 0.10
    """Share of slices in which the body may touch the field's lateral border before the side counts as cut."""

    enhancement_hu: float = 25.0
    """Blood this much denser than muscle is called enhanced."""
