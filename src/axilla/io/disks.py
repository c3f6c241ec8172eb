"""What kind of disk a file lies on: one that stays, one that may be gone tomorrow, or one of another computer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePath, PureWindowsPath
from typing import Protocol

LOCAL, NETWORK, REMOVABLE = "local", "network", "removable"

_OPTICAL = {"iso9660", "udf", "cd9660", "cdfs"}

_SHARED = {
    "9p", "acfs", "afpfs", "afs", "beegfs", "ceph", "cifs", "davfs", "drvfs", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs",
    "nfs3", "nfs4", "ocfs2", "orangefs", "prl_fs", "pvfs2", "smb2", "smb3", "smbfs", "vboxsf", "virtiofs", "webdav",
}  # fmt: skip
"""File systems of other computers, virtual machines' hosts among them: SQLite's shared memory does not reach across."""

_FUSE = "fuse."
"""sshfs, rclone, Google Drive and the like; taken for shares, which costs the few that are local some speed only."""

_STICKS_ON_MACOS = {"msdos", "exfat"}
"""macOS does not say what may be removed; below /Volumes these are sticks and cards."""

_BLOCKS = Path("/sys/class/block")


class Mount(Protocol):
    """A mounted disk, as ``psutil.disk_partitions`` tells it."""

    @property
    def device(self) -> str:
        """E.g. ``/dev/sda1``."""

    @property
    def mountpoint(self) -> str:
        """Folder, or drive."""

    @property
    def fstype(self) -> str:
        """File system."""

    @property
    def opts(self) -> str:
        """Separated by commas; on Windows with the kind of drive."""


def mounts() -> tuple[Mount, ...]:
    """The disks mounted now."""
    import psutil

    return tuple(psutil.disk_partitions(all=True))


def mount_of(path: PurePath, mounted: Sequence[Mount]) -> Mount | None:
    """The disk that `path` (absolute, without links) lies on; the last of several on one folder hides the others."""
    holding = [mount for mount in mounted if mount.mountpoint and path.is_relative_to(mount.mountpoint)]
    return max(reversed(holding), key=lambda mount: len(type(path)(mount.mountpoint).parts), default=None)


def kind_of_disk(path: PurePath, mounted: Sequence[Mount] | None = None, blocks: Path = _BLOCKS) -> str:
    """``"local"``, ``"network"`` or ``"removable"`` (CD, stick, disk on USB).

    Parameters
    ----------
    path : PurePath
        It need not exist yet.
    mounted : sequence of Mount, optional
        Default: :func:`mounts`.
    blocks : Path
        Where Linux tells of its disks.
    """
    whole = path.resolve() if isinstance(path, Path) else path
    if isinstance(whole, PureWindowsPath) and whole.drive.startswith("\\\\"):
        return NETWORK
    mount = mount_of(whole, mounts() if mounted is None else mounted)
    if mount is None:
        return LOCAL
    kind, options = mount.fstype.lower(), set(mount.opts.split(","))
    if kind in _SHARED or kind.startswith(_FUSE) or "remote" in options:
        return NETWORK
    is_stick = kind in _STICKS_ON_MACOS and PurePath(mount.mountpoint).is_relative_to("/Volumes")
    if kind in _OPTICAL or options & {"cdrom", "removable"} or is_stick or _can_be_removed(Path(mount.device), blocks):
        return REMOVABLE
    return LOCAL


def _can_be_removed(device: Path, blocks: Path) -> bool:
    """Whether Linux says so of a disk, of the one a partition is on, or of those below an encrypted one."""
    block = (blocks / device.resolve().name).resolve()
    if block == blocks.resolve() or not block.is_dir():
        return False
    flags = [folder / "removable" for folder in (block, block.parent)]
    if any(flag.is_file() and flag.read_text().strip() == "1" for flag in flags):
        return True
    if any(part.startswith("usb") and part[3:].isdigit() for part in block.parts):  # USB disks call themselves fixed
        return True
    return any(_can_be_removed(Path(slave.name), blocks) for slave in block.glob("slaves/*"))
