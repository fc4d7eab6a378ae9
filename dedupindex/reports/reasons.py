"""Reasons of files that gave no frame, in words: what each means, and what one can do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dedupindex.errors import Reason

MEANING: Mapping[Reason, str] = {
    Reason.EMPTY: "the file has no bytes",
    Reason.NOT_AN_IMAGE: "it does not begin as a picture does",
    Reason.GIT_LFS_POINTER: "Git LFS left a note in place of the picture",
    Reason.HTML: "a web page with the name of a picture: often the error page of a download",
    Reason.APPLEDOUBLE: "a side file of macOS, which has the name of the picture with `._` before it",
    Reason.UNSUPPORTED: "a picture, but of a kind that is not read, or that needs another package",
    Reason.TRUNCATED: "the file ends before the picture does",
    Reason.DAMAGED: "the file contradicts itself, or what is compressed in it cannot be unpacked",
    Reason.TOO_LARGE: "it has more bytes or pixels, or grows more when it is unpacked, than the limits allow",
    Reason.TOO_SMALL: "all its frames have fewer pixels than are taken",
    Reason.TOO_MANY_FRAMES: "it has more frames than the limit allows",
    Reason.UNREADABLE: "the system does not let it be read",
    Reason.MISSING: "there is nothing at this place",
    Reason.CHANGED_WHILE_READ: "somebody wrote to it meanwhile",
    Reason.NO_VALID_PIXELS: "every pixel is masked, transparent or no data: there is nothing to compare",
    Reason.OUT_OF_MEMORY: "decoding it needs more memory than a worker process may have",
    Reason.WORKER_DIED: "decoding it ended the worker process, twice",
    Reason.TIMED_OUT: "decoding it took longer than a worker process may compute, twice",
    Reason.INTERNAL: "a fault of dedupindex, not of the file",
}
ADVICE: Mapping[Reason, str] = {
    Reason.EMPTY: "copy or download it again",
    Reason.NOT_AN_IMAGE: "nothing, if it is no picture; --exclude leaves such files out",
    Reason.GIT_LFS_POINTER: "`git lfs pull` fetches the picture",
    Reason.HTML: "download the picture itself",
    Reason.APPLEDOUBLE: "nothing is lost; --exclude '._*' leaves these files out",
    Reason.UNSUPPORTED: "install the extra that is named, or convert the file",
    Reason.TRUNCATED: "copy or download it again",
    Reason.DAMAGED: "copy it again, or take it from a backup",
    Reason.TOO_LARGE: "if you trust the file, raise the limit that is named: max_pixels is --max-pixels",
    Reason.TOO_SMALL: "nothing, if it is an icon; else lower --min-pixels",
    Reason.TOO_MANY_FRAMES: "if you trust the file, raise --max-frames",
    Reason.UNREADABLE: "look at its permissions, and at the disk",
    Reason.MISSING: "look at the path",
    Reason.CHANGED_WHILE_READ: "ingest again when nobody writes to it",
    Reason.NO_VALID_PIXELS: "look at its alpha channel, its mask file, and at --no-data",
    Reason.OUT_OF_MEMORY: "raise --worker-memory, or lower --workers",
    Reason.WORKER_DIED: "try it alone; if that fails too, convert the file with another program",
    Reason.TIMED_OUT: "raise --max-seconds",
    Reason.INTERNAL: "report it, if you can with the file",
}


def advice_lines(reasons: Iterable[Reason]) -> list[str]:
    """Return what one can do, a line for each of the reasons, in the order of `Reason`."""
    told = set(reasons)
    return [f"{reason}: {ADVICE[reason]}" for reason in Reason if reason in told]
