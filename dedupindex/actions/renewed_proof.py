"""Comparing the files of a near-duplicate once more, just before one of them goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from dedupindex.actions.file_access import Surprise
from dedupindex.records import Outcome, Proof
from dedupindex.records.plans import PlanItem


@dataclass(frozen=True, slots=True)
class FileProof:
    """A proof with the content that it was made from.

    Attributes
    ----------
    proof : Proof
        Of the keeper as picture *a* and the file as *b*.
    keeper_sha256, file_sha256 : str
        Hexadecimal, of the very bytes that were decoded.
    """

    proof: Proof
    keeper_sha256: str
    file_sha256: str


Prover: TypeAlias = Callable[[PlanItem], FileProof]
"""Decodes and compares the two files of an item. Raises `DedupIndexError` where one cannot be read."""


def require_proof(item: PlanItem, renewed: FileProof) -> None:
    """Refuse an item whose files do not show now what the plan says.

    Parameters
    ----------
    item : PlanItem
        A near-duplicate.
    renewed : FileProof

    Raises
    ------
    Surprise
        The files are not the planned ones, or are not proven the same (or edited, where the plan says so). What was
        planned without a proof may still be impossible to tell, but must not be something else.
    """
    path, keeper = item.file.path, item.keeper.path
    if (renewed.keeper_sha256, renewed.file_sha256) != (item.keeper.sha256, item.file.sha256):
        raise Surprise(f"{path}: the content that was compared with {keeper} is not the planned one")
    allowed = {Outcome.SAME}
    if item.edited:
        allowed.add(Outcome.EDITED)
    if item.unproven:
        allowed.add(Outcome.NONE)
    if renewed.proof.outcome not in allowed:
        words = (
            f"{renewed.proof.outcome}: {renewed.proof.reason}" if renewed.proof.reason else str(renewed.proof.outcome)
        )
        raise Surprise(f"{path}: compared with {keeper} again, it is not as planned ({words})")
