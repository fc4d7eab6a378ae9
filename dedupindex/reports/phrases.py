"""Sentences that reports write in English, said in the reader's language.

Reports, plans and rankings give finished sentences. The catalogue holds them with ``{names}`` where numbers, files and
parts of sentences stand; `Phrases.say` finds the sentence that a text is, translates the parts, and puts them in. What
is no known sentence (a path, a message of the system) stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from dedupindex.errors import Reason
from dedupindex.records import DecisionKind, Relation
from dedupindex.records.companions import CompanionKind
from dedupindex.reports.plans import WHY
from dedupindex.reports.wording import FLAGS, JUDGEMENT, MEANING, relation_names

RANK_RULES = (
    "more-pixels", "less-processed", "lossless", "greater-depth", "less-compressed", "more-metadata",
    "more-companions", "path-order", "oldest", "newest", "shortest-path", "first-path",
    "present", "decided", "no-system-folder", "shows-more", "protected", "chosen",
)  # fmt: skip
_RELATION_WORDS = (
    "the same bytes", "the same pixels in another file", "encoded again", "other exposure, colours or filter",
    "one is the negative of the other", "one has a border", "one shows a part of the other",
    "stretched: {name} has other proportions", "resized: {small} at {share} of the size of {large}",
    "cropped: {small} shows {share} of {large}", "a part", "each shows something more, {share} in common",
    "same picture shifted by {shift} px ({b} against {a}), {share} in common", "upside down",
    "rotated by {angle}° counter-clockwise ({a} against {b})", "rotated by {angle}° clockwise ({a} against {b})",
    "mirrored top-bottom", "this", "yours", "no. {n}",
)  # fmt: skip
_PROOF_WORDS = (
    "edited: parts of it differ", "edited: {places}, {share} of the area", "{n} place", "{n} places",
    "another shot of the same scene: {share} moved",
    "the same scene or template with other content: {share} differs", "different pictures", "not proven",
    "not proven: {reason}", "proven the same, {largest}", "proven, {largest}", "largest difference {n} of 255",
    "{largest}, {places} outlined", "both are proven the same as other pictures that are proven the same",
    "no place is known where it is", "{path} holds other content now", "nothing of it is valid",
    "the first frames show the same; one file has {n} frames, the other {m}",
    "only the first frames were compared; one has {n}, the other {m}", "every pixel is the same",
)  # fmt: skip
_RANK_WORDS = (
    "leads by {rule}", "behind by {rule}: {because}", "leads, though {because}", "behind, though {because}",
    "though {because}", "the other one: {because}", f"{{words}} ({JUDGEMENT})", f"({JUDGEMENT})",
    "no rule tells the two apart", "that one is nearer to the original",
    "{words} (beside another picture of the group)", "from {a} against {b} (UTC)", "this one is gone",
    "somebody decided to keep that one", "this one lies in a folder of the system, as a recycle bin is",
    "this is a part of a larger picture", "the other one is a part of a larger picture", "that one has to stay",
    "{x} times the resolution ({a} against {b})", "lossless {a} against lossy {b}",
    "{a} bits a sample against {b}", "{a} metadata fields against {b}",
    "{a} companion (edits, video, raw ...) against {b}", "{a} companions (edits, video, raw ...) against {b}", "none",
    "that one lies in a folder that is preferred", "that one has the shorter path",
    "that one's path comes first in the alphabet", "its colours are gone", "it has only {n} colours",
    "noise was added", "it was sharpened, and has no detail of its own", "its fine detail is gone",
    "it has lost levels that the other one tells apart",
    "it was saved again from the other one, whose JPEG steps it still shows",
    "it was enlarged, and shows nothing finer", "it has a border, a bar or empty corners",
    "its JPEG steps are coarser ({a} levels against {b})", "it is a JPEG, and the other one is lossless",
    "{a} bytes a pixel against {b}", "JPEG steps of {a} levels against {b}",
    "it differs by more than the JPEG steps of the other one explain", "less fine detail was kept",
    "somebody decided that only the other one of the two is wanted",
)  # fmt: skip
_PLAN_WORDS = (
    "nothing to do", "{files} to the trash, {size} freed when the trash is emptied",
    "{files} to be moved, {size} leave the folders they are in", "{files} to become hard links, {size} freed",
    "{files} to become symbolic links, {size} freed", "{files} to share the blocks of their copies, {size} freed",
    "{files} to be deleted, {size} freed", "{n} file", "{n} files",
    "{files} with {n} companion", "{files} with {n} companions",
    f"{{line}}; of {{n}} of them the choice is {JUDGEMENT}", "{line}; of {n} of them no copy stays, as was decided",
    "warning: {folder} is scanned itself: what is moved there is a duplicate again after the next scan; "
    "choose a folder outside of what is scanned",
    "warning: {folder} lies in {scanned}, which is scanned: `apply` leaves it out of later scans "
    "(`scan --forget-excludes` takes it in again)",
    "{line}; what only they say of the pictures goes into {sidecars}", "{n} sidecar", "{n} sidecars",
    "carried over into {file}: {what}", "carried over into {file}, which is new: {what}",
    "not carried over, as the kept one says otherwise: {what}",
    "{what}: nothing is written beside {file}, it is protected",
    "what {file} says of the picture cannot be read: {why}",
    "with {files}", "without {files}: belongs to another picture too", "{file} ({kind}, which the kept one lacks)",
    "differs: {width} x {height} pixels at ({x}, {y}), {share}",
    "differs: {width} x {height} pixels at ({x}, {y}), {share}, moved", "and {n} more places",
    "somebody decided to keep both", "somebody decided to keep this one", "the same file by another path",
    "belongs to the reference", "is protected", "is not below a path that was asked for",
    "has {n} hard links: to take one away frees nothing", "goes only with {file}, the same shot",
    "lies in an object store or on another machine", "is no regular file any more",
    "has changed since it was ingested", "is a member of an archive", "the raw file and the JPEG or HEIC of one shot",
    "shows something that its copy does not", "the files were not compared", "the comparison could not tell",
    "only {n} % could be compared", "shows only a part, but that in finer detail", "lies on another file system",
    "no keep rule tells the two apart", "the picture that was chosen instead is not there",
    "a document or video goes only for one with the same bytes",
    "a file of several frames goes only for one with the same bytes",
    "no equal beside the copy that is kept: {files}", "{file}, which belongs to it, is kept for another file",
    "{file}, which belongs to it, stays: {why}", "{file}, which belongs to it, is protected",
    "{file}, which belongs to it, is not below a path that was asked for",
    "{file}, which belongs to it, cannot be read, or has further hard links",
)  # fmt: skip
_DONE_WORDS = (
    "{files} of {size} moved to the trash", "{files} of {size} moved", "{files} of {size} made hard links",
    "{files} of {size} made symbolic links",
    "{files} of {size} made to share the blocks of their copies",
    "what only they said of the pictures is in {sidecars} now",
    "{files} of {size} deleted", "{files} of {size} as before",
    "nothing to undo", "{files} had been handled by the run before", "{files} left as found, see below",
    "{path} is left out of later scans (`scan --forget-excludes` takes it in again)",
    "Nothing went to the trash: {why}", "no file is there", "not as planned: {why}", "failed: {why}",
)  # fmt: skip
_PAGE_WORDS = (
    "no. {n} is the one to keep", "all of them are to stay", "they are not the same",
    "no. {n} is not the same as the others", "all pictures of the stack are to stay", "the pictures are no stack",
    "one picture of the stack is the best", "(gone)", "{n} further picture in the file",
    "{n} further pictures in the file", "{n} bits, grey", "{n} bits, colour", "JPEG quality {n}", "lossless", "lossy",
    "{n} fields", "{n} bytes", "{size} ({n} MP)",
)  # fmt: skip
_RUN_WORDS = (
    "ingest", "duplicates", "proofs", "pieces", "found", "unchanged", "read", "added", "known", "missing", "failed",
    "searched", "candidates", "verified", "accepted", "overflowed", "left", "radius", "due", "proven", "derived",
    "same", "different", "untold", "unreachable", "pairs", "lost", "skipped", "bytes read", "recognised",
)  # fmt: skip
PHRASES: tuple[str, ...] = tuple(
    dict.fromkeys(
        (
            *map(relation_names, Relation),
            *MEANING.values(),
            *FLAGS.values(),
            *WHY.values(),
            *RANK_RULES,
            *_RELATION_WORDS,
            *_PROOF_WORDS,
            *_RANK_WORDS,
            *_PLAN_WORDS,
            *(f"{{file}} ({kind})" for kind in CompanionKind),
            *_DONE_WORDS,
            *_PAGE_WORDS,
            *_RUN_WORDS,
            *(str(kind).replace("-", " ") for kind in DecisionKind),
            *(str(reason).replace("_", " ") for reason in Reason),
        )
    )
)
_BEHIND = ("{words} (", "{line}; of ")  # begins of phrases
_NAME = re.compile(r"{(\w+)}")
_FIGURE = re.compile(r"(\d[\d,]*)(\.\d+)?( (?:kB|MB|GB|TB|%))?")
_MOST = 400  # characters of a text that may be a sentence


def _pattern(phrase: str) -> re.Pattern[str]:
    parts = _NAME.split(phrase)  # texts and names in turn
    return re.compile("".join(f"(?P<{part}>.+?)" if place % 2 else re.escape(part) for place, part in enumerate(parts)))


def _order(phrase: str) -> tuple[bool, int]:
    """What is put behind any sentence is looked for first, then the sentences with most words of their own."""
    return not phrase.startswith(_BEHIND), -len(_NAME.sub("", phrase))


_PATTERNS = [(phrase, _pattern(phrase)) for phrase in sorted(PHRASES, key=_order) if "{" in phrase]
_PLAIN = frozenset(phrase for phrase in PHRASES if "{" not in phrase)


def phrase_of(text: str) -> tuple[str, dict[str, str]] | None:
    """Return the sentence that a text is, and what stands in the places of its names; None where it is none.

    Of several that it may be, the one with most words of its own.
    """
    if text in _PLAIN:
        return text, {}
    if len(text) > _MOST:
        return None
    for phrase, pattern in _PATTERNS:
        match = pattern.fullmatch(text)
        if match is not None:
            return phrase, match.groupdict()
    return None


class Phrases:
    """Says sentences of reports in one language.

    Parameters
    ----------
    translate : callable
        Gives the translation of a message.
    points : str
        How thousands and decimals are marked: two characters.
    """

    def __init__(self, translate: Callable[[str], str], points: str = ",.") -> None:
        self._translate, self._points = translate, points
        self.say = lru_cache(maxsize=4096)(self._say)

    def _say(self, text: str) -> str:
        """Return a sentence in the language; blanks at its ends stay."""
        inner = text.strip()
        if not inner:
            return text
        said = self._figure(inner) or self._sentence(inner) or self._list(inner) or inner
        return text.replace(inner, said, 1) if said != inner else text

    def _sentence(self, text: str) -> str:
        parts = phrase_of(text)
        if parts is None:
            return ""
        phrase, values = parts
        translated = self._translate(phrase)
        return translated.format(**{name: self.say(value) for name, value in values.items()}) if values else translated

    def _figure(self, text: str) -> str:
        match = _FIGURE.fullmatch(text)
        if match is None:
            return ""
        thousands, decimals = self._points[0], self._points[1]
        whole = match[1].replace(",", thousands) if "," in match[1] else match[1]
        return whole + (match[2] or "").replace(".", decimals) + (match[3] or "")

    def _list(self, text: str) -> str:
        parts = text.split(", ")
        if len(parts) == 1 or len(text) > _MOST or not any(phrase_of(part) for part in parts):
            return ""
        return ", ".join(map(self.say, parts))
