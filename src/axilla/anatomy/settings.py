"""Defaults of the anatomy stage."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class PectoralSettings:
    """How pectoralis major and minor are told apart along rays through the front of the chest."""

    below_apex_mm: float = 105.0
    """Rays reach this far below the lung apex: about the fifth rib, where pectoralis minor begins."""

    above_apex_mm: float = 24.0
    """And this far above it: the coracoid process, where it ends."""

    middle_mm: float = 80.0
    """Rays start from the middle of the lungs between this depth below the apex and half of it."""

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
    """Directly on the chest wall, without fat behind it, a layer counts from this thickness: thinner ones are intercostals."""

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

    min_confidence: float = 0.6
    """Less sure than this, pectoralis minor is not outlined."""

    major_mm: float = 36.0
    """Most thickness of pectoralis major along a ray."""

    major_front_mm: float = 58.0
    """The front of pectoralis major lies at least this far along a ray: further back lie serratus and latissimus."""

    lateral_limit: tuple[tuple[float, float], tuple[float, float]] = ((0.0, 1.06), (120.0, 0.80))
    """Two points (mm below the lung apex, share of the lungs' half width from the midline): beyond the line between them lies no
    pectoralis minor, but the arm's muscles."""

    seed_mm: float = 60.0
    """A muscle is the sheet with most rays down to here below the lung apex: further down glandular tissue looks like one."""

    open_axilla_mm: tuple[float, float] = (15.0, 45.0)
    """Heights below the lung apex where fat parts pectoralis major from the arm."""

    above_wider_mm: float = 10.0
    """Above them it may reach this much further outward than there."""


@dataclass(frozen=True)
class VesselSettings:
    """How the axillary artery and vein are traced."""

    spacing_mm: float = 1.5
    """Voxel size of the search: half of the smallest trunk vessel's radius."""

    smoothing_mm: float = 0.8
    """Gaussian that quiets noise without closing the fat between artery and vein."""

    below_apex_mm: float = 60.0
    """Search down to here below the lung apex: with arms at the side the vessels leave the axilla there."""

    above_apex_mm: float = 40.0
    """And up to here above it: with raised arms they leave it there."""

    start_share: float = 0.30
    """Start plane, as a share of the lungs' half width from the midline: between the great vessels and the first rib."""

    start_mm: float = 4.0
    """Thickness of the start plane."""

    start_radius_mm: float = 2.5
    """A vessel is at least this wide there."""

    depth_share: float = 0.6
    """Search this far back, as a share of the lungs' depth: behind it lie shoulder blade and spine."""

    denser_than_blood: float = 1.25
    """Cortical bone is this much denser than the great vessels."""

    marrow_mm: float = 4.5
    """Bone lies this near to its cortex; bone-dense voxels that do not are blood."""

    humerus_mm: float = 6.0
    """Of the humerus, what a ball of this radius fits into is bone; thinner parts may be an artery as dense as bone beside it."""

    bone_rim_mm: float = 3.0
    """Rim of bones, dense by partial volume, where no vessel is looked for."""

    trunk_radius_mm: float = 2.5
    """Narrower ways cost more: branches are thinner than trunks."""

    most_winding: float = 1.7
    """Length against the straight line: more is a way from one vessel to another."""

    end_shares: tuple[float, ...] = (1.2, 1.1, 1.0, 0.9, 0.8)
    """End planes likewise, tried in this order: a vessel is followed as far as blood leads."""

    above_muscle_hu: float = 8.0
    """Denser than muscle by this much begins to be blood."""

    sure_share: float = 0.6
    """And is surely blood this far from there to the great vessels' density: small vessels lose density by partial volume."""

    least_share: float = 0.03
    """Less blood than this is not passed."""

    core_share: float = 0.4
    """More than this is the inside of a vessel."""

    floor: float = 0.03
    """Cost of a voxel is the inverse of this plus the squared share of blood: a way through muscle costs thirty times as much."""

    min_blood_share: float = 0.85
    """A way is a vessel if at least this share of it is the inside of one."""

    most_radius_mm: float = 7.0
    """No axillary vessel is wider."""

    rim_mm: float = 1.0
    """Rim around a found vessel where the second is not looked for."""

    apart_mm: float = 3.0
    """Vein and artery are named where the one lies this much more in front and below (the two added)."""


@dataclass(frozen=True)
class SkeletonSettings:
    """Landmarks by which the bones are named."""

    spine_mm: float = 36.0
    """Bone this near the midline behind the lungs' middle is spine: transverse processes reach this far."""

    spine_depth: float = 0.45
    """Where the spine begins, as a share of the lungs' depth from the front."""

    neck_depth: float = 0.30
    """The same above the lung apex, where the spine lies further in front."""

    sternum_mm: float = 30.0
    """Half width of the manubrium."""

    sternum_depth: float = 0.30
    """Where the sternum ends, as a share of the lungs' depth."""

    sternum_below_mm: float = 24.0
    """The manubrium begins this far below the lung apex; above it lie the clavicles."""

    closing_mm: float = 4.5
    """Gaps in the cortex that are closed before marrow is filled."""

    humerus_share: float = 0.75
    """The humerus lies beyond this share of the lungs' half width from the midline."""

    marrow_hu: float = 60.0
    """Denser than muscle by this may be the marrow of the humeral head: its cortex is thinner than a coarse voxel."""

    shaft_mm: float = 8.5
    """A ball of this radius fits into the humerus, but not into scapula or clavicle."""

    head_mm: float = 14.5
    """And one of this radius into its head only."""

    arm_share: float = 1.2
    """Beyond this share of the half width lies the arm, where a shaft without a head is humerus too; nearer it is the glenoid."""

    off_cage_mm: float = 16.0
    """Bone this far from the lungs is no rib: serratus and subscapularis lie between."""

    rib_mm: float = 8.0
    """Bone this near to the lungs is rib."""

    scapula_below_mm: float = 120.0
    """Bone off the ribs down to here below the lung apex may be shoulder blade."""

    ribs_only_mm: float = 190.0
    """Below this there are only ribs, on abdomen instead of lung: the blade's tip is seldom 170 mm below the apex."""

    clavicle_share: float = 0.65
    """Bone in front, off the ribs, and nearer to the midline than this share of the half width is clavicle."""


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

    gas_hu: float = -975.0
    """Air spaces mostly emptier than this are bowel: even emphysema holds some tissue."""

    balanced_lungs: float = 0.5
    """Lungs of more than this ratio to each side of the spine tell the midline better than the spine does."""

    vertebra_mm: float = 45.0
    """Width of a thoracic vertebra with its transverse processes' roots."""

    min_lung_ml: float = 60.0
    """Air spaces smaller than this are trachea, esophagus or bowel."""

    min_lungs_ml: float = 250.0
    """With less lung than this in the field there is no chest to reason from."""

    chest_cut_depth: float = 0.75
    """A body this deep at the field's border, as a share of its depth in that slice, is cut inside the chest: a cut arm or
    flank is shallower (an ellipse is this deep at two thirds of its half width)."""

    chest_cut_share: float = 0.5
    """In more than this share of the slices with lung."""

    airway_mm: float = 22.0
    """Air in the midline that reaches no farther out than this on a slice is windpipe or main bronchus, not lung."""

    apex_area_mm2: float = 500.0
    """A slice belongs to a lung if the lung covers more than this; below it, the apex is a tip of partial volume."""

    apex_from_midline_mm: float = 22.0
    """Only air this far from the midline counts for the apex: the trachea otherwise reaches every slice of the neck."""

    cage_margin_mm: float = 6.0
    """From the lungs' hull to the outside of the ribs."""

    mirror_below: float = 0.4
    """A lung smaller than this share of the other (effusion, collapse) is replaced by the other's mirror image."""

    high_diaphragm_mm: float = 55.0
    """A lung that ends this far above the other has lost its lower part: one dome of the diaphragm stands seldom 40 mm higher."""

    skin_mm: float = 6.0
    """Depth of skin and the vessels just under it, where no muscle is looked for."""

    muscle_opening_mm: float = 4.5
    """In-plane disk that keeps muscles and drops vessels, nodes and fascia."""

    min_muscle_ml: float = 15.0
    """Smaller soft-tissue pieces (breast lobules, large vessels) do not define the axilla's walls."""

    hull_margin_mm: float = 6.0
    """Beyond the line from the pectoral to the latissimus edge: nodes bulge a little over it."""

    medial_share: float = 0.45
    """The axilla starts this far from the midline, as a share of the lungs' largest half width."""

    apical_medial_share: float = 0.40
    """And this far in its upper part, where level III reaches to the first rib."""

    level_three_mm: float = 36.0
    """Depth of that part below the lung apex."""

    depth_share: float = 0.97
    """Posterior limit, as a share of the lungs' depth: behind it lie only the back muscles."""

    behind_scapula_mm: float = 9.0
    """The region reaches this far behind the front of the shoulder's bones: subscapular nodes lie before the scapula."""

    front_shares: tuple[float, float] = (0.06, 0.25)
    """Anterior limit as a share of the lungs' depth, in the upper half of the axilla and at its lower end: the pectorals end
    there, and what lies further in front is breast."""

    below_apex_mm: float = 135.0
    """Lower limit below the lung apex: about the fifth rib."""

    above_apex_mm: float = 9.0
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

    unenhanced_hu: float = 15.0
    """Where half of the mediastinum is not denser than muscle by this, there is no contrast: what is denser then is marrow."""

    min_top_scapula_ml: float = 2.8
    """Where the lung apex is cut, this much shoulder blade in the uppermost slices shows that the axilla reaches into the field:
    below the axilla only its tip is left."""

    top_mm: float = 15.0
    """Height of those slices."""

    skeleton: SkeletonSettings = field(default_factory=SkeletonSettings)
    """How the bones are named."""

    pectorals: PectoralSettings = field(default_factory=PectoralSettings)
    """How pectoralis major and minor are told apart."""

    vessels: VesselSettings = field(default_factory=VesselSettings)
    """How the axillary vessels are traced."""
