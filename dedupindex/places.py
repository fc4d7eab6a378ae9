"""Where a location lies: on this machine, in an object store, on a volume of another machine, inside an archive.

`pathlib.Path` is the type everywhere. A path of this machine is stored absolute, so a relative one whose first part
is ``NAME:`` lies elsewhere: ``s3:/bucket/key`` is what `Path` makes of ``s3://bucket/key``, and ``laptop:/home/me``
is a folder of another machine. NAME tells which: a scheme of `SCHEMES` is an object store, all others are volumes.
A member of an archive is a path below it, ``/data/000.tar/cat.jpg``, wherever the archive lies.

One picture of several in a file is told by what stands after the path: ``stack.npy#frame=2`` (counted from 0),
``paper.pdf#page=3`` and ``paper.pdf#picture=2`` (counted from 1), ``clip.mp4#t=12.4`` (seconds from its beginning),
``figure.png#panel=3`` and ``paper.pdf#page=3&panel=2`` (counted from 1).
They are one number, the frame, everywhere else: see `fragment_of`.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

# Protocols that fsspec knows and that name a host, a bucket or a container first. `file` is this machine.
_KNOWN = (
    "abfs abfss adl az dropbox ftp gcs gdrive gs hdfs hf http https lakefs memory obs oci ocilake oss oss2 s3 s3a sftp"
    " smb ssh tos webdav webhdfs"
)
SCHEMES = frozenset(_KNOWN.split())
FILE = "file"
ONE_BY_ONE = frozenset({"http", "https"})  # what cannot be listed
# Endings of archives, of which each member is a place of its own; which kind one is, its first bytes tell.
_ARCHIVES = r"tar(?:\.(?:gz|bz2|xz|zst|lz4))?|tgz|tbz2?|txz|tzst|zip|cbz|cbt|7z|cb7|rar|cbr"
_ARCHIVE = re.compile(rf".+\.(?:{_ARCHIVES})", re.IGNORECASE | re.DOTALL)
_BELOW_ARCHIVE = re.compile(rf"\.(?:{_ARCHIVES})/", re.IGNORECASE)

DOCUMENTS = frozenset({".pdf"})
_VIDEOS = ".mp4 .m4v .mov .qt .3gp .mkv .webm .avi .mpg .mpeg .ts .m2ts .mts .wmv .asf .flv .ogv .mxf"
VIDEOS = frozenset(_VIDEOS.split())
FIRST_PICTURE = 1_000_000  # frame number of the first picture embedded in a document; smaller ones are pages
FIRST_PANEL = 2_000_000_000  # frame number of the first panel of a picture; those of stacks are smaller
PANELS_A_PAGE = 400  # frame numbers that the panels of a page of a document have; its first page has the first ones
LAST_PANEL = 2**31 - 1  # largest frame number that databases hold
MILLISECONDS = 1_000  # a frame number of a video is its time in these

_PARTS = "frame|page|picture|panel|t"
_FRAGMENT = re.compile(rf"(?P<path>.+)#(?P<what>{_PARTS})=(?P<number>\d{{1,9}}(?:\.\d{{1,9}})?)", re.DOTALL)
_PAGE_PANEL = re.compile(r"(?P<path>.+)#page=(?P<page>\d{1,9})&panel=(?P<panel>\d{1,9})", re.DOTALL)
_NAME = re.compile(r"([A-Za-z0-9][\w.+-]+):")
_LOGIN = re.compile(r"^[^/]*:[^/@]*@")


def is_local(path: Path) -> bool:
    """Whether a stored path is one of this machine."""
    return path.is_absolute()


def name_of(path: Path) -> str:
    """NAME of a place elsewhere; empty for paths of this machine."""
    parts = path.parts
    match = _NAME.fullmatch(parts[0]) if parts and not path.is_absolute() else None
    return match[1] if match is not None else ""


def scheme_of(path: Path) -> str:
    """Scheme of a place in an object store; empty for all others."""
    name = name_of(path).lower()
    return name if name in SCHEMES else ""


def volume_of(path: Path) -> str:
    """Name of the volume on which a place lies; empty for places here and in object stores."""
    name = name_of(path)
    return "" if name.lower() in SCHEMES or name.lower() == FILE else name


def text_of(path: os.PathLike[str]) -> str:
    """A place as people and programs write it: ``s3://bucket/key``, ``laptop:/home/me/x.jpg``, ``/home/me/x.jpg``."""
    text = os.fspath(path)
    if text.startswith("/") or ":" not in text:  # nearly all of them
        return text
    scheme = scheme_of(Path(path))
    return f"{scheme}://{text[len(scheme) + 2 :]}" if scheme else text


def place_of(text: str | os.PathLike[str]) -> Path:
    """The place that somebody names: a path, or a URL.

    Raises
    ------
    ValueError
        A URL that is no place: of a scheme that nobody knows, with a password in it, or with a key that a path cannot
        hold (``a//b``, ``..``).
    """
    given = os.fspath(text)
    path = Path(given)
    name, separator, rest = given.partition("://")
    if not separator or not _NAME.fullmatch(f"{name}:") or not isinstance(text, str):
        return absolute(path)
    if name.lower() not in SCHEMES and name.lower() != FILE:
        raise ValueError(f"{given}: there is no scheme {name}; there are {FILE}, {', '.join(sorted(SCHEMES))}")
    if _LOGIN.match(rest):
        shown = f"{name}://...{rest[rest.index('@') :]}"
        raise ValueError(f"{shown}: no password belongs in a URL; the store's client takes it from the environment")
    if name.lower() == FILE:
        return absolute(path)
    if not keeps(rest.rstrip("/") or "."):
        raise ValueError(f"{given}: a key with empty parts, `.` or `..` cannot be told from another one as a path")
    return Path(f"{name.lower()}:/{rest}")


def keeps(key: str) -> bool:
    """Whether a key comes out of a path as it went in: ``a//b``, ``a/./b``, ``a/../b`` and ``a/`` do not."""
    return all(part not in ("", ".", "..") for part in key.split("/")) or key == "."


def absolute(path: Path) -> Path:
    """A path as an ingest would have stored it: absolute, links kept; one that lies elsewhere as it is.

    `..` is resolved through the file system, where a link before it changes its meaning.
    """
    name = name_of(path)
    if name.lower() == FILE and not os.path.lexists(path):
        return Path("/").joinpath(*path.parts[1:])
    if name and not os.path.lexists(path):
        return Path(f"{scheme_of(path) or name}:", *path.parts[1:])
    path = at_home(path)
    if ".." in path.parts:
        return Path(os.path.realpath(path.parent)) / path.name if path.name != ".." else Path(os.path.realpath(path))
    return path.absolute()


def at_home(path: Path) -> Path:
    """A path with a leading ``~`` or ``~user`` as their home folder.

    It stays as it is where there is a file of that very name, or no such user.
    """
    if not os.fspath(path).startswith("~") or os.path.lexists(path):
        return path
    try:
        return path.expanduser()
    except (RuntimeError, ValueError):  # no such user, or a name that no user can have
        return path


def on_volume(path: Path, volume: str) -> Path:
    """The place of a path of another machine, which is known here by the name of its volume."""
    return Path(f"{volume}:{os.fspath(path)}")


def check_volume(name: str) -> str:
    """The name, where a volume may have it.

    Raises
    ------
    ValueError
    """
    if not _NAME.fullmatch(f"{name}:") or name.lower() in SCHEMES or name.lower() == FILE:
        raise ValueError(f"{name!r} cannot be the name of a volume: two letters, digits, . _ + - or more, no scheme")
    return name


def is_archive(name: str) -> bool:
    """Whether a name is that of an archive."""
    return _ARCHIVE.fullmatch(name) is not None


def shards_above(path: Path) -> list[Path]:
    """The archives of which a place may be a member, by their names; the innermost first."""
    if _BELOW_ARCHIVE.search(os.fspath(path)) is None:  # nearly always, and this is asked for every file
        return []
    return [above for above in path.parents if is_archive(above.name)]


def fragment_of(path: Path, frame: int) -> str:
    """What stands after the path of a file for one of its pictures; empty for the first of most.

    Parameters
    ----------
    path : Path
        Its ending tells whether it is a document or a video.
    frame : int
        Frame number.

    Returns
    -------
    str
        ``#frame=N``; of a document ``#page=N`` or ``#picture=N``, of a video ``#t=SECONDS``; of a panel ``#panel=N``,
        in a document ``#page=N&panel=N``.
    """
    suffix = path.suffix.lower()
    if suffix in DOCUMENTS and frame >= FIRST_PANEL:
        page, panel = divmod(frame - FIRST_PANEL, PANELS_A_PAGE)
        return f"#page={page + 1}&panel={panel + 1}"
    if suffix in DOCUMENTS:
        return f"#picture={frame - FIRST_PICTURE + 1}" if frame >= FIRST_PICTURE else f"#page={frame + 1}"
    if suffix in VIDEOS:
        return f"#t={frame / MILLISECONDS:.3f}".rstrip("0").rstrip(".")
    if frame >= FIRST_PANEL:
        return f"#panel={frame - FIRST_PANEL + 1}"
    return f"#frame={frame}" if frame else ""


def panel_number(page: int, panel: int) -> int:
    """Frame number of a panel of a page of a document, both counted from 0."""
    return FIRST_PANEL + page * PANELS_A_PAGE + panel


def split_fragment(text: str) -> tuple[str, int | None]:
    """An address as the text of its path, and the frame number; None where it names no frame.

    The inverse of `fragment_of`; whether there is a file of that very name, the caller has to ask.
    """
    if (both := _PAGE_PANEL.fullmatch(text)) is not None:
        page, panel = int(both["page"]), int(both["panel"])
        number = panel_number(page - 1, panel - 1)
        inside = page >= 1 and 1 <= panel <= PANELS_A_PAGE and number <= LAST_PANEL
        return (both["path"], number) if inside else (text, None)
    match = _FRAGMENT.fullmatch(text)
    if match is None:
        return text, None
    value, what = float(match["number"]), match["what"]
    if what == "t":
        return match["path"], round(value * MILLISECONDS)
    if value != int(value) or (what != "frame" and value < 1):
        return text, None
    first = {"frame": 0, "page": -1, "picture": FIRST_PICTURE - 1, "panel": FIRST_PANEL - 1}[what]
    return match["path"], int(value) + first
