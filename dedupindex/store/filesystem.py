"""On what kind of file system a path lies. SQLite's write-ahead log needs shared memory, so a local file system.

See https://sqlite.org/wal.html and https://sqlite.org/howtocorrupt.html.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")
_NETWORK = frozenset(
    ("nfs", "nfs4", "cifs", "smb2", "smb3", "smbfs", "ncpfs", "afs", "coda", "9p", "ceph", "glusterfs", "lustre",
     "gpfs", "beegfs", "pvfs2", "ocfs2", "davfs", "vboxsf", "prl_fs", "vmhgfs", "drvfs", "acfs", "webdav", "afpfs")
)  # fmt: skip
_LOCAL_FUSE = frozenset(("fuseblk", "fuse.ntfs-3g", "fuse.mergerfs", "fuse.bindfs", "fuse.encfs", "fuse.gocryptfs"))
_ESCAPE = re.compile(r"\\([0-7]{3})")


def kind_of(path: Path, mounts: Path = _MOUNTS) -> str:
    """Name of the file system that holds a path (``ext4``, ``nfs4``, ``fuse.sshfs``); empty where it is not known."""
    try:
        lines = mounts.read_text("utf-8", "surrogateescape").splitlines()
        place = os.path.realpath(path)
    except (OSError, ValueError):
        return ""
    best, kind = "", ""
    for line in lines:
        before, separator, after = line.partition(" - ")
        fields = before.split(" ")
        if not separator or len(fields) < 5:
            continue
        mounted = _ESCAPE.sub(lambda match: chr(int(match[1], 8)), fields[4])
        inside = place == mounted or place.startswith(mounted.rstrip("/") + "/")
        if inside and len(mounted) >= len(best):  # a later mount on the same point hides the earlier one
            best, kind = mounted, after.split(" ")[0]
    return kind


def is_network(kind: str) -> bool:
    """Whether other machines may have files of such a file system open. FUSE counts unless it is known to be local."""
    if kind in _LOCAL_FUSE:
        return False
    return kind in _NETWORK or kind == "fuse" or kind.startswith("fuse.")
