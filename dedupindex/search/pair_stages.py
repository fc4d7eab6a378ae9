"""The stage that verifies pairs of stored images in workers: a pure, picklable function of their packed features."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from dedupindex.errors import Reason
from dedupindex.execution.tasks import PairResult, PairTask
from dedupindex.features import unpack
from dedupindex.features.model import load_model
from dedupindex.verify.verification import Shared, verify
from dedupindex.verify.vetting import plausible, sketch


def verify_pairs(tasks: Sequence[PairTask]) -> list[PairResult]:
    """Vet or verify pairs (a, b), a being the smaller content key."""
    return [_vet_pairs(task) if task.vet else _verify_pairs(task) for task in tasks]


def pairs_died(task: PairTask, reason: Reason) -> PairResult:
    """The result for pairs whose worker died or took too long, twice."""
    return PairResult(0, lost=task.pairs)


def _verify_pairs(task: PairTask) -> PairResult:
    unpacked = {image: unpack(parts) for image, parts in task.parts.items()}
    accepted = []
    shared = Shared()
    for a, b in task.pairs:
        verification = verify(unpacked[a], unpacked[b], threshold=task.threshold, shared=shared)
        if verification.accepted:
            accepted.append((a, b, verification))
    return PairResult(len(task.pairs), tuple(accepted))


def _vet_pairs(task: PairTask) -> PairResult:
    sketches = {image: sketch(parts) for image, parts in task.parts.items()}
    parity = load_model().local_parity
    pairs_of = Counter(image for pair in task.pairs for image in pair)
    others: dict[int, list[tuple[int, int]]] = {}
    for pair in task.pairs:  # each under the image with more pairs, so that one product of matrices serves them all
        others.setdefault(max(pair, key=lambda image: (pairs_of[image], image)), []).append(pair)
    ordered = [(hub, a if b == hub else b, (a, b)) for hub, pairs in others.items() for a, b in pairs]
    kept = plausible([(sketches[hub], sketches[other]) for hub, other, _ in ordered], parity)
    passed = sorted(pair for (_, _, pair), keep in zip(ordered, kept.tolist(), strict=True) if keep)
    return PairResult(len(task.pairs) - len(passed), plausible=tuple(passed))
