"""Results of `apply` and `undo` as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dedupindex.records.plans import Action, ApplySummary, ItemOutcome, OutcomeKind
from dedupindex.reports.amounts import count
from dedupindex.reports.names import shown
from dedupindex.reports.plans import size_text

_DONE = {
    Action.TRASH: "moved to the trash",
    Action.MOVE: "moved",
    Action.HARDLINK: "made hard links",
    Action.SYMLINK: "made symbolic links",
    Action.REFLINK: "made to share the blocks of their copies",
    Action.DELETE: "deleted",
}


def applied_text(summary: ApplySummary, action: Action, *, dry_run: bool = False) -> str:
    """Return what a run of `apply` did, in a few lines; `trouble_lines` gives what went wrong.

    Parameters
    ----------
    summary : ApplySummary
    action : Action
        Of the plan.
    dry_run : bool
        The files were compared only.

    Returns
    -------
    str
    """
    done = summary.of(OutcomeKind.DONE)
    files, size = _files(done), size_text(sum(outcome.size for outcome in done))
    if dry_run:
        return f"{files} of {size} compared and as planned; nothing was touched"
    lines = [f"{files} of {size} {_DONE[action]}"]
    sidecars = len({outcome.sidecar for outcome in done if outcome.sidecar is not None})
    if sidecars:
        lines.append(f"what only they said of the pictures is in {count(sidecars, 'sidecar')} now")
    earlier = summary.of(OutcomeKind.EARLIER)
    if earlier:
        lines.append(f"{count(len(earlier), 'file')} had been handled by the run before")
    if summary.left_out is not None:
        lines.append(
            f"{shown(summary.left_out)} is left out of later scans (`scan --forget-excludes` takes it in again)"
        )
    return "\n".join([*lines, *_left(summary)])


def undone_text(summary: ApplySummary) -> str:
    """Return what a run of `undo` did."""
    back = summary.of(OutcomeKind.BACK)
    size = size_text(sum(outcome.size for outcome in back))
    lines = [f"{_files(back)} of {size} as before" if back else "nothing to undo"]
    return "\n".join([*lines, *_left(summary)])


def trouble_lines(summary: ApplySummary) -> list[str]:
    """Return a line for every file that was not dealt with."""
    return [
        shown(f"{outcome.outcome}: {outcome.detail}")
        for outcome in summary.of(OutcomeKind.SURPRISE, OutcomeKind.FAILED)
    ]


def _files(outcomes: Sequence[ItemOutcome]) -> str:
    companions = sum(len(outcome.companions) for outcome in outcomes)
    return count(len(outcomes), "file") + (f" with {count(companions, 'companion')}" if companions else "")


def _left(summary: ApplySummary) -> Iterator[str]:
    trouble, left = summary.of(OutcomeKind.SURPRISE, OutcomeKind.FAILED), summary.of(OutcomeKind.LEFT)
    if trouble:
        yield f"{count(len(trouble), 'file')} left as found, see below"
    if left:
        yield f"stopped there: {count(len(left), 'file')} not looked at (--continue passes over what is not as planned)"
