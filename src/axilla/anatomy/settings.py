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


@dataclass(frozen=True)
class PectoralSettings:
    """How pectoralis major and minor are told apart along rays through the front of the chest."""

    below_apex_mm: float = 105.0
    """Rays reach this far below the lung apex: about the fifth rib, where pectoralis minor begins."""

    above_apex_mm: float = 24.0
    """And this far above it: the coracoid process, where it ends."""

    across_mm: tuple[float, float] = (16.0, 160.0)
    """Rays from here to there beside the midline: from the sternum's edge to the shoulder."""

    along_mm: tuple[float, float] = (16.0, 150.0)
    """Each ray from before the shoulder blade to before the skin of an obese chest."""

    step_mm: float = 1.5
    """Between rays and along them: half of the thinnest pectoralis minor."""

    tilt_degrees: float = 20.0
    """Outward turn of the rays: across both muscles at the ribs as well as under the clavicle."""

    wall_mm: float = 6.0
    """From the lungs' hull to the outside of the chest wall's own muscles."""

    muscle_spread_hu: float = 10.0
    """Less dense than the muscle mode by no more than this is pure muscle."""

    vessel_above_muscle_hu: float = 45.0
    """Denser than muscle by more than this is vessel or cartilage."""

    bone_above_muscle_hu: float = 110.0
    """Denser than muscle by more than this is bone, whose surface bounds a muscle."""

    minor_mm: tuple[float, float] = (3.0, 18.0)
    """Least and largest thickness of pectoralis minor along a ray."""

    minor_on_wall_mm: float = 6.0
    """Directly on the chest wall, without fat behind it, a layer counts only from this thickness: thinner ones are intercostals."""

    front_plane_share: float = 0.25
    """Share of fat in a sample that surely is the plane between the muscles: that plane is thinner than a sample."""

    back_plane_share: float = 0.3
    """The same behind pectoralis minor."""

    bone_edge: float = 0.7
    """How sure a bounding bone is, against fat: a rib behind the muscle."""

    wall_edge: float = 0.45
    """How sure the estimated chest wall is as a boundary."""

    most_gap_mm: float = 21.0
    """Most fat between the two muscles (under the clavicle)."""

    gap_cost_per_mm: float = 0.04
    """What a wide gap takes off the fit."""

    slope_cost: float = 0.05
    """Cost of a step along the ray from one ray to the next."""

    jump_cost: float = 0.5
    """Cost of any larger jump: a sheet ends here."""

    most_slope: int = 3
    """Most steps a sheet may lean from one ray to the next."""

    min_support: float = 0.3
    """A ray fitting better than this, with its neighbors, belongs to the sheet."""

    good_support: float = 0.5
    """Mean fit of a sheet that is surely the muscle."""

    sure_area_mm2: float = 1000.0
    """A sheet of this area or more is surely the muscle: half of a small woman's."""

    sure_height_mm: float = 30.0
    """And one this tall below the apex: from there to the third rib it is more."""

    min_confidence: float = 0.5
    """Less sure than this, pectoralis minor is not outlined."""

    major_mm: float = 36.0
    """Most thickness of pectoralis major along a ray."""

    major_front_mm: float = 58.0
    """The front of pectoralis major lies at least this far along a ray: further back lie serratus and latissimus."""

    seed_mm: float = 60.0
    """A muscle is the sheet with most rays down to here below the lung apex: further down glandular tissue looks like one."""

    open_axilla_mm: tuple[float, float] = (15.0, 45.0)
    """Heights below the lung apex where fat parts pectoralis major from the arm."""

    above_wider_mm: float = 10.0
    """Above them it may reach this much further outward than there."""
