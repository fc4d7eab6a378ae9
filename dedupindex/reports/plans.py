"""A plan as JSON and as text for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dedupindex.records.metadata import PictureMetadata
from dedupindex.records.plans import (
    PLAN_SCHEMA,
    Action,
    Evidence,
    LeftOut,
    LeftOutReason,
    Plan,
    PlanItem,
    PlannedCompanion,
    PlannedFile,
    PlannedMetadata,
)
from dedupindex.records.proofs import proof_to_plain
from dedupindex.reports.amounts import count
from dedupindex.reports.jsonfile import path_json
from dedupindex.reports.names import short, shown
from dedupindex.reports.wording import JUDGEMENT, percent, proof_words, relation_words

LISTED = 20  # files that stay, for each reason, before the text says "and N more"
PLACES = 8  # changed places of a file that the text lists
KINDS = 8  # relations that the text names
KEYWORDS = 12  # of a file
LONGEST = 80  # characters of a description
_ACTIONS = {
    Action.TRASH: "to the trash",
    Action.MOVE: "to be moved",
    Action.HARDLINK: "to become hard links",
    Action.SYMLINK: "to become symbolic links",
    Action.REFLINK: "to share the blocks of their copies",
    Action.DELETE: "to be deleted",
}
_GAIN = {
    Action.TRASH: "{} freed when the trash is emptied",
    Action.MOVE: "{} leave the folders they are in",
    Action.HARDLINK: "{} freed",
    Action.SYMLINK: "{} freed",
    Action.REFLINK: "{} freed",
    Action.DELETE: "{} freed",
}
DETAILED = frozenset(
    {LeftOutReason.COMPANIONS, LeftOutReason.UNIT, LeftOutReason.METADATA}
)  # reasons of which the text gives the detail
WHY = {
    LeftOutReason.TIE: "no keep rule tells them from the copy that is kept (add one, e.g. --keep first-path)",
    LeftOutReason.RELATION: "their relation was not asked for (--relation copy: all proven copies)",
    LeftOutReason.UNPROVEN: (
        "not proven to be copies: dedupindex prove compares their files (--unproven takes them all the same)"
    ),
    LeftOutReason.SHOWS_MORE: "they show something that the copy that is kept does not",
    LeftOutReason.FINER: "they show a part of the copy that is kept, but in finer detail",
    LeftOutReason.PROTECTED: "protected",
    LeftOutReason.NOT_SELECTED: "outside of what was asked for (--path)",
    LeftOutReason.KEEP_BOTH: "decided: keep both",
    LeftOutReason.KEEPER: "decided: keep this one",
    LeftOutReason.HARD_LINK: "hard links of other files: taking one away frees nothing",
    LeftOutReason.OTHER_DEVICE: "on another file system than the copy that is kept: no link can join them",
    LeftOutReason.SAME_FILE: "the same file by another path",
    LeftOutReason.STACK: "files of several frames, of which a single frame matches",
    LeftOutReason.COMPANIONS: (
        "the copy that is kept lacks what belongs to them (--may-lack KIND takes them all the same)"
    ),
    LeftOutReason.UNIT: (
        "a part of a shot of raw and JPEG or HEIC that goes and stays as a whole (--units apart: one by one)"
    ),
    LeftOutReason.METADATA: "what only they say of the picture cannot be carried over to the copy that is kept",
    LeftOutReason.CHANGED: "changed since they were ingested: ingest again",
    LeftOutReason.GONE: "gone or unreadable since they were ingested",
    LeftOutReason.ELSEWHERE: "in object stores or on other machines: nothing is done there",
    LeftOutReason.IN_ARCHIVE: "members of archives: nothing is taken out of them",
    LeftOutReason.NOT_REGULAR: "no regular files any more",
    LeftOutReason.OTHER_RULE: "kept for files that go by another rule, or copies of such as go by one",
}


def plan_json(plan: Plan) -> dict[str, Any]:
    """Return the plan as plain values; `dedupindex.actions.plans.read_plan` reads them back."""
    return {
        "schema": PLAN_SCHEMA,
        "kind": "plan",
        "version": plan.version,
        "database": shown(plan.database),
        "made": plan.made.isoformat(timespec="seconds"),
        "action": str(plan.action),
        "relations": [str(relation) for relation in plan.relations],
        "keep_rules": list(plan.rules),
        "protect": [path_json(path) for path in plan.protect],
        LeftOutReason.UNPROVEN: plan.unproven,
        "alternates": plan.alternates,
        "units": None if plan.units is None else str(plan.units),
        "may_lack": [str(kind) for kind in plan.may_lack],
        "merge_metadata": plan.merge_metadata,
        "settings": dict(plan.settings),
        "to": None if plan.to is None else path_json(plan.to),
        "scanned": None if plan.scanned is None else path_json(plan.scanned),
        "bytes": plan.bytes,
        "items": [item_json(item) for item in plan.items],
        "left_out": [left_json(file) for file in plan.left_out],
    }


def item_json(item: PlanItem) -> dict[str, Any]:
    """Return what is to be done to a file as plain values."""
    relation = "+".join(item.relations)
    return {
        "group": item.group,
        "action": str(item.action),
        "file": _file_json(item.file),
        LeftOutReason.KEEPER: _file_json(item.keeper),
        LeftOutReason.RELATION: relation,
        "words": relation_words(relation),
        "score": round(item.score, 6),
        "covered": round(item.covered, 5),
        "rule": item.rule,
        "because": item.because,
        "judgement": item.judgement,
        "target": None if item.target is None else path_json(item.target),
        "bytes": item.file.size,
        "evidence": None if item.evidence is None else evidence_json(item.evidence),
        "companions": [companion_json(companion) for companion in item.companions],
        LeftOutReason.METADATA: None if item.metadata is None else metadata_json(item.metadata),
    }


def metadata_json(metadata: PlannedMetadata) -> dict[str, Any]:
    """Return what a keeper's sidecar takes over as plain values."""
    return {
        "sidecar": path_json(metadata.sidecar),
        "existing": None if metadata.existing is None else _file_json(metadata.existing),
        "carried": _said_json(metadata.carried),
        "differing": _said_json(metadata.differing),
    }


def _said_json(said: PictureMetadata) -> dict[str, Any]:
    return {
        "rating": said.rating,
        "keywords": list(said.keywords),
        "hierarchy": list(said.hierarchy),
        "description": said.description,
        "position": None if said.position is None else list(said.position),
        "taken": said.taken,
    }


def companion_json(companion: PlannedCompanion) -> dict[str, Any]:
    """Return a file that belongs to a file of the plan as plain values, and whether it goes with it."""
    file = path_json(companion.path) if companion.file is None else _file_json(companion.file)
    return {
        "kind": str(companion.kind),
        "goes": companion.file is not None,
        **file,
        "equal": None if companion.equal is None else _file_json(companion.equal),
        "target": None if companion.target is None else path_json(companion.target),
    }


def evidence_json(evidence: Evidence) -> dict[str, Any]:
    """Return the evidence of a near-duplicate as plain values, exact enough to compare its files again."""
    return {
        "matrix": [list(row) for row in evidence.matrix],
        "keeper_shape": list(evidence.keeper_shape),
        "file_shape": list(evidence.file_shape),
        "proof": None if evidence.proof is None else proof_to_plain(evidence.proof),
    }


def left_json(file: LeftOut) -> dict[str, Any]:
    """Return a file that stays as plain values."""
    keeper = None if file.keeper is None else path_json(file.keeper)
    return {"group": file.group, **path_json(file.path), "keeper": keeper, "why": file.why, "detail": file.detail}


def _file_json(file: PlannedFile) -> dict[str, Any]:
    return {**path_json(file.path), "sha256": file.sha256, "size": file.size, "mtime_ns": file.mtime_ns}


def plan_text(plan: Plan, base: Path | None = None) -> str:
    """Return what would be done, which file is kept instead, by which rule; and what stays and why.

    Parameters
    ----------
    base : Path, optional
        Paths below it are shown relative to it.
    """
    warning = target_warning(plan, base)
    return "\n".join(
        [*_item_lines(plan, base), *_left_lines(plan, base), plan_summary(plan), *([warning] if warning else [])]
    )


def target_warning(plan: Plan, base: Path | None = None) -> str:
    """Return what is wrong with the folder that files are moved to; nothing where it is not scanned."""
    if plan.to is None or plan.scanned is None:
        return ""
    folder, scanned = short(plan.to, base), short(plan.scanned, base)
    if plan.to == plan.scanned:
        return (
            f"warning: {folder} is scanned itself: what is moved there is a duplicate again after the next scan; "
            "choose a folder outside of what is scanned"
        )
    return (
        f"warning: {folder} lies in {scanned}, which is scanned: `apply` leaves it out of later scans "
        "(`scan --forget-excludes` takes it in again)"
    )


def plan_summary(plan: Plan) -> str:
    """Return how much would be done, in a line."""
    if not plan.items:
        return "nothing to do"
    gain = _GAIN[plan.action].format(size_text(plan.bytes))
    companions = f" with {count(plan.companions, 'companion')}" if plan.companions else ""
    line = f"{count(len(plan.items), 'file')}{companions} {_ACTIONS[plan.action]}, {gain}"
    if plan.sidecars:
        line += f"; what only they say of the pictures goes into {count(plan.sidecars, 'sidecar')}"
    judged = sum(item.judgement for item in plan.items)
    if judged:
        line += f"; of {judged:,} of them the choice is {JUDGEMENT}"
    return f"{line}; of {plan.chosen:,} of them no copy stays, as was decided" if plan.chosen else line


def _item_lines(plan: Plan, base: Path | None) -> Iterator[str]:
    keeper: Path | None = None
    for item in plan.items:
        if item.keeper.path != keeper:
            keeper = item.keeper.path
            yield f"keep  {short(keeper, base)}"
        target = "" if item.target is None else f" -> {short(item.target, base)}"
        yield f"  {item.action}  {short(item.file.path, base)}{target}  ({size_text(item.file.size)})"
        relation = "+".join(item.relations)
        score = "" if item.exact or item.chosen else f", score {item.score:.3f}"
        yield f"        {relation}{score}; kept by {item.rule}: {shown(item.because)}{judgement_words(item)}"
        words = (*evidence_words(item), *companion_words(item), *metadata_words(item))
        yield from (f"        {shown(line)}" for line in words)
    if plan.items:
        yield ""


def judgement_words(item: PlanItem) -> str:
    """Return that no rule tells which of the two files is better, where none does."""
    return f" ({JUDGEMENT})" if item.judgement else ""


def companion_words(item: PlanItem) -> Iterator[str]:
    """Yield which companions go with a file, and which of them stay because they belong to another picture too."""
    going = [
        f"{companion.path.name} ({companion.kind}{'' if companion.equal else ', which the kept one lacks'})"
        for companion in item.going
    ]
    staying = [f"{companion.path.name} ({companion.kind})" for companion in item.companions if companion.file is None]
    if going:
        yield f"with {', '.join(going)}"
    if staying:
        yield f"without {', '.join(staying)}: belongs to another picture too"


def metadata_words(item: PlanItem) -> Iterator[str]:
    """Yield what the keeper's sidecar takes over from a file, and what not, because the keeper says otherwise."""
    if item.metadata is None:
        return
    carried, differing = said_words(item.metadata.carried), said_words(item.metadata.differing)
    if carried:
        new = "" if item.metadata.existing else ", which is new"
        yield f"carried over into {item.metadata.sidecar.name}{new}: {carried}"
    if differing:
        yield f"not carried over, as the kept one says otherwise: {differing}"


def said_words(said: PictureMetadata) -> str:
    """Return what is said of a picture in words."""
    keywords = dict.fromkeys((*said.keywords, *(path.replace("|", " > ") for path in said.hierarchy)))
    more = f" and {len(keywords) - KEYWORDS} more" if len(keywords) > KEYWORDS else ""
    description = said.description if len(said.description) <= LONGEST else f"{said.description[:LONGEST]}..."
    parts = [
        f"rating {said.rating}" if said.rating is not None else "",
        f"keywords {', '.join(list(keywords)[:KEYWORDS])}{more}" if keywords else "",
        f'description "{description}"' if description else "",
        f"position {said.position[0]:.5f}, {said.position[1]:.5f}" if said.position is not None else "",
        f"taken {said.taken.replace('T', ' ')}" if said.taken else "",
    ]
    return "; ".join(part for part in parts if part)


def evidence_words(item: PlanItem) -> Iterator[str]:
    """Yield what the files of a near-duplicate showed: the proof, and the places that differ, the clearest first."""
    if item.exact or item.same_pixels or item.evidence is None:
        return
    proof = item.evidence.proof
    yield proof_words(proof)
    if proof is None or not item.edited:
        return
    for region in proof.regions[:PLACES]:
        top, left, height, width = region.box_b
        words = f"{width} x {height} pixels at ({left}, {top}), {percent(region.share)}"
        yield f"  differs: {words}" + ("" if region.moved is None else ", moved")
    if len(proof.regions) > PLACES:
        yield f"  and {len(proof.regions) - PLACES} more places"


def _left_lines(plan: Plan, base: Path | None) -> Iterator[str]:
    reasons = Counter(file.why for file in plan.left_out)
    for why, number in reasons.items():
        yield f"stay: {count(number, 'file')}, {WHY[why]}"
        which = [file for file in plan.left_out if file.why == why]
        if why == LeftOutReason.RELATION:  # often many: only their numbers
            kinds = Counter(file.detail for file in which)
            more = f", {count(len(kinds) - KINDS, 'other kind')}" if len(kinds) > KINDS else ""
            yield "  " + ", ".join(f"{many:,} {kind}" for kind, many in kinds.most_common(KINDS)) + more
            continue
        for file in which[:LISTED]:
            beside = "" if file.keeper is None else f"  (beside {short(file.keeper, base)})"
            detail = f": {shown(file.detail)}" if why in DETAILED else ""
            yield f"  {short(file.path, base)}{beside}{detail}"
        if number > LISTED:
            yield f"  and {number - LISTED:,} more"
    if reasons:
        yield ""


def size_text(number: int) -> str:
    """Return a number of bytes as people say it."""
    value = float(number)
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 999.5:
            return f"{value:.0f} {unit}" if unit == "bytes" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
