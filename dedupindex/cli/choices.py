"""What options may be, for their help and for completion.

Names stand here and not where they are used, because those modules load numpy; `tests/cli/test_help.py` compares both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from dedupindex.settings import CHOICES, KEEP_RULES, OTHER_KEEP_RULES

RELATIONS = (
    "same_bytes", "same_pixels", "reencoded", "resized", "tone", "crop_of", "shifted_overlap", "rotated", "mirrored",
    "negative", "bordered", "piece_of", "edited", "alternate", "unproven",
)  # fmt: skip
PLANNED = (*RELATIONS, "copy")
ACTIONS = ("trash", "move", "hardlink", "symlink", "reflink", "delete")
UNITS = ("together", "apart")
COMPANIONS = ("edits", "video", "raw", "rendered", "metadata", "sound", "mask", "embedded")
ROLES = ("read", "write")
LINKINGS = ("symlink", "hardlink", "copy")
SIGNALS = ("pdq", "dedupindex")
SERVERS = ("immich", "photoprism")
STYLES = ("hma", "threatexchange")
RULES = (*KEEP_RULES, *OTHER_KEEP_RULES)
FILTERS = ("mean:3", "median:3", "gaussian:1.5", "lee:5", "enhanced_lee:5")
SETTINGS: Mapping[str, Sequence[str]] = {**CHOICES, "engine": ("local", "ray"), "filters": FILTERS}
Completer = Callable[[str], list[str]]


def completer(choices: Iterable[str]) -> Completer:
    """Return what completes one of these, also after the comma of a list."""
    known = tuple(choices)

    def complete(incomplete: str) -> list[str]:
        before, comma, last = incomplete.rpartition(",")
        return [before + comma + name for name in known if name.startswith(last)]

    return complete


def one_of(choices: Sequence[str]) -> str:
    """Return a metavar that shows the choices: ``quick|normal|thorough``."""
    return "|".join(choices)
