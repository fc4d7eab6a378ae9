"""What worker processes do with uploaded pictures; apart from `uploads`, because they need no database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from dedupindex.errors import Reason
from dedupindex.execution.tasks import FileResult, FileTask, PreviewResult, PreviewTask, ProofResult, ProofTask
from dedupindex.ingest import describing
from dedupindex.search.proof_stages import proofs_died, prove_pairs

Task: TypeAlias = FileTask | PreviewTask | ProofTask
Result: TypeAlias = FileResult | PreviewResult | ProofResult


def work(tasks: Sequence[Task]) -> list[Result]:
    """Describe or compare files; a worker gets one task at a time."""
    return [_done(task) for task in tasks]


def _done(task: Task) -> Result:
    match task:
        case PreviewTask():
            return describing.describe_and_show(task)
        case FileTask():
            return describing.describe_files([task])[0]
        case ProofTask():
            return prove_pairs([task])[0]


def died(task: Task, reason: Reason) -> Result:
    """The result of a task whose worker died or took too long, twice."""
    match task:
        case PreviewTask():
            return PreviewResult(describing.died(task.file, reason), None)
        case FileTask():
            return describing.died(task, reason)
        case ProofTask():
            return proofs_died(task, reason)
