"""The commands. Heavy imports happen inside each command, so that ``axilla --help`` answers at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from axilla._version import __version__
from axilla.cli._console import emit, progress_on_stderr

if TYPE_CHECKING:
    from axilla.pipeline.predict import DetectorChoice

app = typer.Typer(
    name="axilla",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Axillary lymph nodes on chest CT: found, measured, grouped without labels. Research use only; not a medical device.",
)

CTArgument = Annotated[Path, typer.Argument(metavar="CT", help="DICOM folder, file, ZIP or CD; or NIfTI, NRRD, MHA in HU.")]
OutOption = Annotated[Path, typer.Option("--out", "-o", help="Folder to write to; made if absent.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
SeriesOption = Annotated[
    str | None, typer.Option("--series", metavar="UID", help="SeriesInstanceUID to use instead of axilla's choice.")
]
JobsOption = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        min=1,
        help="Patients worked on at the same time; default: one a core, as far as memory reaches; 1: in this process.",
    ),
]
SeedOption = Annotated[int, typer.Option("--seed", help="Same seed, same result.")]
DetectorOption = Annotated[
    str,
    typer.Option(
        "--detector",
        metavar="NAME",
        help="built-in, an installed one's name, mask:FILE, nnunet:FOLDER, or 'command:PROGRAM {ct} {out}' (NIfTI in and out).",
    ),
]
AllowExternalOption = Annotated[
    bool,
    typer.Option("--allow-external-detector", help="Consent to run the program or the model that --detector names."),
]
TimeoutOption = Annotated[
    float | None,
    typer.Option(
        "--detector-timeout", min=1.0, metavar="SECONDS", help="Stop a command: detector after this; default: 30 minutes."
    ),
]
StudyArgument = Annotated[Path, typer.Argument(metavar="STUDY", help="Study folder.")]


def _version(show: bool) -> None:
    if show:
        typer.echo(f"axilla {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Set up what all commands share."""


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the simulated data and the study.")] = Path("axilla-demo"),
    patients: Annotated[int, typer.Option("--patients", min=5, help="Patients to simulate.")] = 24,
    seed: SeedOption = 1,
    jobs: JobsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Simulate a small cohort as DICOM and clinical sheet, run the whole study on it, print the result table."""
    from axilla.pipeline.demo import run_demo

    with progress_on_stderr() as progress:
        outcome = run_demo(out, patients, seed, jobs=jobs, progress=progress)
    emit(outcome.result, outcome.lines, as_json=as_json)
    _exit_for(outcome.failed)


@app.command()
def simulate(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write to.")],
    patients: Annotated[
        int, typer.Option("--patients", min=1, help="Patients to simulate; with --background, sets of implants.")
    ],
    seed: SeedOption,
    background: Annotated[
        Path | None,
        typer.Option("--background", metavar="CT", help="A real CT to implant synthetic nodes into; it is only read."),
    ] = None,
    nodes_per_side: Annotated[
        int | None, typer.Option("--nodes-per-side", min=1, max=15, help="Implants per axilla, with --background; default: 6.")
    ] = None,
    jobs: JobsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a synthetic study: DICOM per patient, clinical.csv, truth masks and statuses. Everything is labeled synthetic.

    With --background: synthetic nodes in a real CT and their truth masks, to measure what is found on that scanner.
    """
    if background is not None:
        _simulate_implants(background, out, patients, seed, nodes_per_side, jobs, as_json)
        return
    if nodes_per_side is not None:
        raise typer.BadParameter("only a --background takes a number of implants", param_hint="--nodes-per-side")
    from axilla.pipeline.simulate import simulate as run_simulation

    with progress_on_stderr() as progress:
        made = run_simulation(out, patients, seed, jobs=jobs, progress=progress)
    result = {"folder": str(made.folder), "dicom": str(made.dicom), "clinical": str(made.clinical), "patients": made.n_patients}
    lines = [
        f"{made.n_patients} synthetic patients in {made.folder}",
        f"next: axilla import {made.dicom} --study STUDY --clinical {made.clinical}",
    ]
    emit(result, lines, as_json=as_json)


def _simulate_implants(
    background: Path, out: Path, patients: int, seed: int, nodes_per_side: int | None, jobs: int | None, as_json: bool
) -> None:
    from axilla.pipeline.implants import NODES_PER_SIDE, simulate_implants

    number = NODES_PER_SIDE if nodes_per_side is None else nodes_per_side
    with progress_on_stderr() as progress:
        made = simulate_implants(background, out, patients, seed, number, jobs=jobs, progress=progress)
    result = {"folder": str(made.folder), "dicom": str(made.dicom), "patients": made.n_patients, "nodes": made.n_nodes}
    lines = [
        f"{made.n_nodes} synthetic nodes implanted into {made.n_patients} copies of the CT, in {made.folder}",
        "These CTs show the background's patient: keep them where that patient's data may lie.",
        f"next: axilla locate {made.dicom / 'SIM0001'} -o OUT, and compare with {made.folder / 'truth'}",
    ]
    emit(result, lines, as_json=as_json)


@app.command(name="import")
def import_(
    sources: Annotated[list[Path], typer.Argument(metavar="SRC...", help="DICOM folders, files, ZIPs, CDs.")],
    study: Annotated[Path, typer.Option("--study", help="Study folder; made if absent.")],
    clinical: Annotated[Path | None, typer.Option("--clinical", help="Clinical sheet (CSV or XLSX).")] = None,
    masks: Annotated[
        Path | None,
        typer.Option(
            "--masks", metavar="DIR", help="Nodes drawn by hand: one mask per patient, file or folder named by its patient_id."
        ),
    ] = None,
    copy: Annotated[
        bool, typer.Option("--copy", help="Copy the files into the study; those on CDs and sticks are copied in any case.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Catalog DICOM, choose each patient's series, and say why the others were not chosen."""
    from axilla.pipeline.catalog import import_study

    with progress_on_stderr() as progress:
        outcome = import_study(sources, study, clinical, masks, copy=copy, progress=progress)
    emit(outcome.result, outcome.lines, as_json=as_json)


@app.command()
def run(
    study: StudyArgument,
    jobs: JobsOption = None,
    scheduler: Annotated[
        str,
        typer.Option(
            "--scheduler",
            metavar="ADDRESS",
            help="Dask scheduler (tcp://host:8786) whose workers do the patients; they need the same disks and the same axilla.",
        ),
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Run every stage of a study; what is up to date is not done again. It may be broken off at any moment and run again."""
    from axilla.pipeline import Workers
    from axilla.pipeline.study import run_study

    with progress_on_stderr() as progress:
        outcome = run_study(study, workers=Workers(jobs, scheduler), progress=progress)
    emit(outcome.result, outcome.lines, as_json=as_json)
    _exit_for(outcome.failed)


@app.command()
def study(
    features: Annotated[
        list[Path], typer.Argument(metavar="FEATURES...", help="Feature tables by axilla, PyRadiomics, Slicer or MIRP.")
    ],
    clinical: Annotated[Path, typer.Option("--clinical", metavar="FILE", help="Clinical sheet (CSV or XLSX).")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="STUDY", help="Study folder; made if absent.")],
    as_json: JsonOption = False,
) -> None:
    """A whole study from feature tables alone: train, predict, call patients, evaluate, figures, report."""
    from axilla.pipeline.feature_study import study_from_features

    with progress_on_stderr() as progress:
        outcome = study_from_features(features, clinical, out, progress=progress)
    emit(outcome.result, outcome.lines, as_json=as_json)
    _exit_for(outcome.failed)


@app.command()
def report(study: StudyArgument, as_json: JsonOption = False) -> None:
    """Write a study's HTML report anew from its results."""
    from axilla.pipeline.study import report_study

    path = report_study(study)
    emit({"report": str(path)}, [f"report: {path}"], as_json=as_json)


@app.command()
def locate(
    ct: CTArgument,
    out: OutOption,
    detector: DetectorOption = "built-in",
    allow_external_detector: AllowExternalOption = False,
    detector_timeout: TimeoutOption = None,
    contact_sheet: Annotated[
        bool, typer.Option("--contact-sheet", help="Also write contact_sheet.jpg: every node at the same scale.")
    ] = False,
    series: SeriesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find and segment the axillary nodes: nodes.nii.gz, nodes.csv, atlas.json, atlas.glb, detector.json."""
    from axilla.pipeline.predict import locate_ct

    choice = _detector_choice(detector, allow_external_detector, detector_timeout)
    with progress_on_stderr() as progress:
        outcome = locate_ct(ct, out, detector=choice, with_contact_sheet=contact_sheet, series_uid=series, progress=progress)
    emit(outcome.result, outcome.lines, as_json=as_json)


@app.command()
def extract(
    ct: CTArgument,
    mask: Annotated[Path, typer.Argument(metavar="MASK", help="NIfTI, NRRD, MHA, .seg.nrrd, DICOM SEG or RTSTRUCT.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="CSV or Parquet file to write.")],
    settings: Annotated[
        Path | None,
        typer.Option("--settings", metavar="FILE", help="Settings (YAML): our own keys or a PyRadiomics parameter file."),
    ] = None,
    bin_width: Annotated[
        float | None, typer.Option("--bin-width", metavar="HU", help="Width of a gray-level bin; default: 25.")
    ] = None,
    voxel_spacing: Annotated[
        str | None,
        typer.Option("--voxel-spacing", metavar="MM", help="Resample to X,Y,Z mm, or one number for all, or 'none'; default: 1."),
    ] = None,
    convention: Annotated[
        str | None, typer.Option("--convention", metavar="NAME", help="pyradiomics or ibsi; default: pyradiomics.")
    ] = None,
    patient_id: Annotated[
        str, typer.Option("--patient-id", help="Pseudonym written into the table; one of its own for each patient.")
    ] = "P0001",
    resample_mask: Annotated[
        bool, typer.Option("--resample-mask", help="Bring a mask from another grid onto the CT's (nearest).")
    ] = False,
    series: SeriesOption = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", min=1, help="Regions measured at the same time; default: the number of cores.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure the 107 radiomic features of every label of a mask.

    Beside the table, FILE.json names the settings in force, versions, inputs and remarks. An option wins over --settings.
    """
    from axilla.pipeline.extraction import choose_settings, extract_features

    chosen, remarks = choose_settings(settings, bin_width=bin_width, voxel_spacing=voxel_spacing, convention=convention)
    with progress_on_stderr() as progress:
        outcome = extract_features(
            ct,
            mask,
            out,
            patient_id=patient_id,
            resample_mask=resample_mask,
            series_uid=series,
            settings=chosen,
            settings_notes=remarks,
            jobs=jobs,
            progress=progress,
        )
    emit(outcome.result, outcome.lines, as_json=as_json)


@app.command()
def train(
    features: Annotated[
        list[Path], typer.Argument(metavar="FEATURES...", help="Feature tables by axilla, PyRadiomics, Slicer or MIRP.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Model file (JSON) to write.")],
    seed: Annotated[int | None, typer.Option("--seed", help="Seed of K-means.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Learn the two groups from unlabeled nodes: z-score, correlation filter, K-means."""
    from axilla.pipeline.learn import train_model

    outcome = train_model(features, out, seed=seed)
    emit(outcome.result, outcome.lines, as_json=as_json)


@app.command()
def predict(
    ct: CTArgument,
    model: Annotated[Path, typer.Option("--model", help="Model file (JSON) by axilla train.")],
    out: OutOption,
    mask: Annotated[Path | None, typer.Option("--mask", help="Your own segmentation of the nodes, instead of axilla's.")] = None,
    detector: DetectorOption = "built-in",
    allow_external_detector: AllowExternalOption = False,
    detector_timeout: TimeoutOption = None,
    allow_synthetic_model: Annotated[
        bool, typer.Option("--allow-synthetic-model", help="Show groups though the model was trained on synthetic data.")
    ] = False,
    series: SeriesOption = None,
    as_json: JsonOption = False,
) -> None:
    """One CT, end to end: nodes, atlas, features, groups and scores, report.html."""
    from axilla.pipeline.predict import predict_ct

    choice = _detector_choice(detector, allow_external_detector, detector_timeout)
    with progress_on_stderr() as progress:
        outcome = predict_ct(
            ct,
            model,
            out,
            mask=mask,
            detector=choice,
            allow_synthetic_model=allow_synthetic_model,
            series_uid=series,
            progress=progress,
        )
    emit(outcome.result, outcome.lines, as_json=as_json)


@app.command()
def evaluate(
    predictions: Annotated[Path, typer.Argument(metavar="PREDICTIONS", help="predictions.csv by axilla.")],
    status: Annotated[
        list[Path],
        typer.Argument(metavar="STATUS...", help="patient_id,node_id,status and / or patient_id,side,status,clinical."),
    ],
    out: OutOption,
    as_json: JsonOption = False,
) -> None:
    """Compare predictions with pathology: node- and patient-level results with intervals."""
    from axilla.pipeline.learn import evaluate_predictions

    outcome = evaluate_predictions(predictions, status, out)
    emit(outcome.result, outcome.lines, as_json=as_json)


def _detector_choice(name: str, allow_external: bool, timeout_s: float | None) -> DetectorChoice:
    from axilla.io.detectors import ExternalSettings
    from axilla.pipeline.predict import DetectorChoice

    external = ExternalSettings() if timeout_s is None else ExternalSettings(timeout_s=timeout_s)
    return DetectorChoice(name, allow_external, external)


def _exit_for(failed: Mapping[str, str]) -> None:
    """Exit status 4 when some patients failed and the others are done."""
    if failed:
        raise typer.Exit(4)
