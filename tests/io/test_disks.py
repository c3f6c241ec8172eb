"""Which disks may be gone tomorrow and which are another computer's, from tables as the systems write them."""

from __future__ import annotations

from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import NamedTuple

import pytest

from axilla.io.disks import kind_of_disk, mounts


class Disk(NamedTuple):
    device: str
    mountpoint: str
    fstype: str
    opts: str = "rw,relatime"


LINUX = (
    Disk("proc", "/proc", "proc"),
    Disk("/dev/nvme0n1p2", "/", "ext4"),
    Disk("/dev/sda1", "/media/me/STICK", "vfat"),
    Disk("/dev/sdb1", "/media/me/USB DISK", "fuseblk"),
    Disk("/dev/dm-0", "/media/me/LOCKED", "ext4"),
    Disk("/dev/sr0", "/media/me/CD", "iso9660", "ro,nosuid"),
    Disk("/dev/loop0", "/mnt/image", "udf", "ro"),
    Disk("systemd-1", "/net", "autofs"),
    Disk("server:/home", "/net", "nfs4"),
    Disk("//server/share", "/srv/share", "cifs"),
    Disk("me@host:", "/home/me/far", "fuse.sshfs"),
    Disk("drvfs", "/mnt/c", "9p"),
    Disk("tmpfs", "/tmp", "tmpfs"),
)
MACOS = (
    Disk("/dev/disk1s1", "/", "apfs", "rw,local,rootfs,dovolfs,journaled"),
    Disk("/dev/disk2s1", "/Volumes/STICK", "exfat", "rw,nosuid,local,ignore-ownership"),
    Disk("/dev/disk3", "/Volumes/CD", "cd9660", "ro,local"),
    Disk("//me@server/share", "/Volumes/share", "smbfs", "rw,nosuid"),
    Disk("/dev/disk4s1", "/Volumes/Second", "apfs", "rw,local"),
)
WINDOWS = (
    Disk("C:\\", "C:\\", "NTFS", "rw,fixed"),
    Disk("D:\\", "D:\\", "CDFS", "ro,cdrom"),
    Disk("E:\\", "E:\\", "", "cdrom"),
    Disk("F:\\", "F:\\", "FAT32", "rw,removable"),
    Disk("Z:\\", "Z:\\", "NTFS", "rw,remote"),
)


@pytest.fixture
def blocks(tmp_path: Path) -> Path:
    """What Linux tells of its disks: a card reader, a disk on USB, one below an encrypted one, and a fixed one."""
    root, listed = tmp_path / "devices", tmp_path / "block"
    listed.mkdir()
    for place, flag in (
        ("pci/sda/sda1", "1"),
        ("pci/usb2/2-1/sdb/sdb1", "0"),
        ("pci/nvme0n1/nvme0n1p2", "0"),
        ("virtual/dm-0", "0"),
    ):
        folder = root / place
        folder.mkdir(parents=True)
        whole = folder if place.startswith("virtual") else folder.parent
        (whole / "removable").write_text(flag + "\n")
        (listed / folder.name).symlink_to(folder)
    (root / "virtual/dm-0/slaves").mkdir()
    (root / "virtual/dm-0/slaves/sda1").symlink_to(root / "pci/sda/sda1")
    return listed


@pytest.mark.parametrize(
    ("path", "disks", "kind"),
    [
        ("/home/me/study", LINUX, "local"),
        ("/media/me/STICK", LINUX, "removable"),
        ("/media/me/STICKER/a", LINUX, "local"),
        ("/media/me/USB DISK/DICOM", LINUX, "removable"),
        ("/media/me/LOCKED/a", LINUX, "removable"),
        ("/media/me/CD/DICOMDIR", LINUX, "removable"),
        ("/mnt/image/a", LINUX, "removable"),
        ("/net/studies", LINUX, "network"),
        ("/srv/share/a/b", LINUX, "network"),
        ("/home/me/far/a", LINUX, "network"),
        ("/mnt/c/Users", LINUX, "network"),
        ("/tmp/a", LINUX, "local"),
        ("/Users/me", MACOS, "local"),
        ("/Volumes/STICK/a", MACOS, "removable"),
        ("/Volumes/CD", MACOS, "removable"),
        ("/Volumes/share/a", MACOS, "network"),
        ("/Volumes/Second/a", MACOS, "local"),
        ("/anywhere", (), "local"),
    ],
)
def test_posix(path: str, disks: tuple[Disk, ...], kind: str, blocks: Path) -> None:
    assert kind_of_disk(PurePosixPath(path), disks, blocks) == kind


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("C:\\Users\\me", "local"),
        ("d:\\DICOM", "removable"),
        ("E:\\", "removable"),
        ("F:\\a", "removable"),
        ("z:\\studies", "network"),
        ("\\\\server\\share\\study", "network"),
        ("Q:\\nowhere", "local"),
    ],
)
def test_windows(path: str, kind: str) -> None:
    assert kind_of_disk(PureWindowsPath(path), WINDOWS) == kind


def test_a_link_to_a_stick_is_on_the_stick(tmp_path: Path) -> None:
    (tmp_path / "stick").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "stick")
    disks = (Disk("/dev/sdz9", str(tmp_path / "stick"), "udf"),)
    assert kind_of_disk(tmp_path / "link" / "not" / "yet", disks) == "removable"
    assert kind_of_disk(tmp_path / "other", disks) == "local"


def test_of_this_computer_something_is_known() -> None:
    assert any(PurePath(mount.mountpoint) == PurePath(Path.cwd().anchor) for mount in mounts())
    assert kind_of_disk(Path.cwd()) in ("local", "network", "removable")
