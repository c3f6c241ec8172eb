"""Files are written whole or not at all, and a place that cannot be written to is told in one sentence."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from axilla.errors import CannotWriteError
from axilla.io.files import check_can_write, filling, remove_leftovers, replacing, replacing_together, write_text
from axilla.io.images import write_labels
from axilla.volume import Geometry, Labels


def everything(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def fill_the_disk(path: Path) -> None:
    path.write_text("half")
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_one_sentence_and_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    write_text(path, "old")
    with pytest.raises(CannotWriteError, match=r"table.csv cannot be written \(No space left"), replacing(path) as temporary:
        fill_the_disk(temporary)
    assert everything(tmp_path) == ["table.csv"]
    assert path.read_text() == "old"


def test_files_that_belong_together_appear_together(tmp_path: Path) -> None:
    paths = (tmp_path / "a", tmp_path / "deep" / "b")
    with pytest.raises(CannotWriteError), replacing_together(*paths) as (first, _second):
        fill_the_disk(first)
    assert everything(tmp_path) == ["deep"]
    with replacing_together(*paths) as temporaries:
        for temporary in temporaries:
            temporary.write_text("new")
    assert [path.read_text() for path in paths] == ["new", "new"]
    assert everything(tmp_path) == ["a", "deep", "deep/b"]


def test_an_image_that_is_cut_off_by_a_full_disk_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ITK may write less than it should and say nothing."""
    labels = Labels(np.ones((4, 5, 6), np.uint16), Geometry((4, 5, 6), (1, 1, 1), (0, 0, 0)))
    whole = sitk.WriteImage

    def cut(image: sitk.Image, name: str, useCompression: bool) -> None:
        whole(image, name, useCompression=useCompression)
        Path(name).write_bytes(Path(name).read_bytes()[:-20])

    monkeypatch.setattr(sitk, "WriteImage", cut)
    for name in ("nodes.nii.gz", "nodes.nii"):
        with pytest.raises(CannotWriteError):
            write_labels(labels, tmp_path / name)
    assert everything(tmp_path) == []


@pytest.mark.parametrize("is_folder", [False, True])
def test_a_place_is_tried_before_long_work_and_left_as_it_was(tmp_path: Path, is_folder: bool) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    check_can_write(tmp_path / "new" / "deep" / "x", folder=is_folder)
    with pytest.raises(CannotWriteError, match="is a file, but a folder"):
        check_can_write(tmp_path / "file" / "x", folder=is_folder)
    refused = tmp_path / ("file" if is_folder else "folder")
    with pytest.raises(CannotWriteError):
        check_can_write(refused, folder=is_folder)
    assert everything(tmp_path) == ["file", "folder"]


def test_a_folder_is_filled_as_a_whole(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_text(out / "a.csv", "old")
    write_text(out / "mine.txt", "kept")
    with pytest.raises(CannotWriteError), filling(out) as folder:
        fill_the_disk(folder / "a.csv")
    assert everything(tmp_path) == ["out", "out/a.csv", "out/mine.txt"]
    assert (out / "a.csv").read_text() == "old"
    with filling(out) as folder:
        write_text(folder / "a.csv", "new")
        write_text(folder / "deep" / "b.csv", "new")
    assert everything(tmp_path) == ["out", "out/a.csv", "out/deep", "out/deep/b.csv", "out/mine.txt"]
    assert (out / "a.csv").read_text() == "new"


def test_leftovers_of_a_killed_run_are_removed_and_nothing_else(tmp_path: Path) -> None:
    with replacing(tmp_path / "deep" / "CT0001.dcm") as temporary:
        temporary.touch()
        left = temporary.name
    (tmp_path / "deep" / left).touch()
    (tmp_path / ".hidden").touch()
    remove_leftovers(tmp_path)
    assert everything(tmp_path) == [".hidden", "deep", "deep/CT0001.dcm"]
