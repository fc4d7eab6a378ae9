"""What an evaluation found, as text and JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dedupindex.records.evaluations import (
    Evaluation,
    MissedCopy,
    MissReason,
    Rate,
    Suggestion,
    ThresholdPoint,
    WrongPair,
)
from dedupindex.reports.amounts import count, duration
from dedupindex.reports.jsonfile import SCHEMA_VERSION, failure_json, path_json
from dedupindex.reports.names import short

SHOWN = 20  # wrong pairs and missed copies in the text; JSON has all of them
THRESHOLDS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999)  # lines of the table
WHY = {
    "limit": "left out by the sample",
    MissReason.UNUSABLE: "shows next to nothing, or cannot be read",
    MissReason.NOT_PROPOSED: "the search did not propose it",
    MissReason.NOT_CONFIRMED: "not confirmed",
}


def attacks_text(attacks: Mapping[str, object]) -> str:
    """Return the attacks, each with what it does."""
    width = max(map(len, attacks))
    return "\n".join(
        f"{name:<{width}}  {(attack.__doc__ or '').partition(chr(10))[0]}" for name, attack in attacks.items()
    )


def evaluation_text(evaluation: Evaluation, base: Path | None = None) -> str:
    """Return all of it, in sections.

    Parameters
    ----------
    base : Path, optional
        Paths below it are shown relative to it.
    """
    sections = [
        _head(evaluation),
        _totals(evaluation),
        _attack_table(evaluation),
        _threshold_table(evaluation),
        _advice(evaluation),
        _wrong(evaluation.wrong, base),
        _missed(evaluation.missed, base),
    ]
    return "\n\n".join("\n".join(lines) for lines in sections if lines)


def share_text(rate: Rate) -> str:
    """Return a share with enough decimals to tell it from 0 % and 100 %."""
    for decimals in (1, 2, 3):
        text = f"{100 * rate.share:.{decimals}f}"
        if rate.hits in (0, rate.total) or float(text) not in (0.0, 100.0):
            break
    return f"{text} %"


def interval_text(rate: Rate) -> str:
    """Return the confidence interval of a share, in percent; rounded outwards."""
    low, high = math.floor(1000 * rate.low) / 10, math.ceil(1000 * rate.high) / 10
    return f"{low:.1f}-{high:.1f}"


def _head(evaluation: Evaluation) -> list[str]:
    seconds = sum(evaluation.seconds.values())
    lines = [
        f"{count(evaluation.used, 'picture')} of {count(evaluation.found, 'file')}, "
        f"{count(evaluation.copies, 'attacked copy', 'attacked copies')}, seed {evaluation.seed} ({duration(seconds)})"
    ]
    if evaluation.skipped:
        skipped = (f"{number:,} {WHY.get(why, why.replace('_', ' '))}" for why, number in evaluation.skipped.items())
        lines.append(f"not used: {', '.join(skipped)}")
    own = []
    if evaluation.own_copies:
        own.append(count(evaluation.own_copies, "byte-for-byte copy", "byte-for-byte copies"))
    if evaluation.own_pairs:
        own.append(f"{count(evaluation.own_pairs, 'pair')} that look the same")
    if own:
        lines.append(f"among the pictures themselves: {' and '.join(own)}; taken as right, not counted below")
    return lines


def _totals(evaluation: Evaluation) -> list[str]:
    lines = [
        _total("recall", evaluation.direct, "copies are reported as a pair with their original"),
        _total("linked", evaluation.linked, "copies stand in one group with it, through other pictures too"),
        _total("precision", evaluation.precision, "reported pairs are right"),
        _total("search", evaluation.retrieval, "confirmable copies were proposed by the search"),
        _total("", evaluation.searched, "confirmable pairs were, copies among each other included"),
    ]
    if evaluation.overflowed:
        lines.append(f"{count(evaluation.overflowed, 'copy', 'copies')} met more candidates than the limit")
    false = evaluation.false_rate
    if false is not None:
        at_most = (
            f"at most one in {int(1 / false.high):,}" if not false.hits else f"one in {false.total // false.hits:,}"
        )
        lines.append(
            f"{count(false.hits, 'wrong pair')} among {count(false.total, 'pair')} of different pictures ({at_most}); "
            "a larger collection has more of them"
        )
    return lines


def _total(name: str, rate: Rate | None, what: str) -> str:
    if rate is None:
        return f"{name:<10} {'-':>8}  {'':11}  0 {what}"
    return f"{name:<10} {share_text(rate):>8}  {interval_text(rate):>11}  {rate.hits:,} of {rate.total:,} {what}"


def _attack_table(evaluation: Evaluation) -> list[str]:
    width = max(len("attack"), *(len(attack.label) for attack in evaluation.attacks))
    lines = [f"{'attack':<{width}}  {'recall':>8}  {'95 % CI':>11}  {'found':>9}  {'linked':>8}  {'search':>8}"]
    for attack in evaluation.attacks:
        hits = f"{attack.direct.hits:,}/{attack.direct.total:,}"
        search = "-" if attack.retrieval is None else share_text(attack.retrieval)
        lines.append(
            f"{attack.label:<{width}}  {share_text(attack.direct):>8}  {interval_text(attack.direct):>11}  {hits:>9}  "
            f"{share_text(attack.linked):>8}  {search:>8}"
            + (f"  {attack.unusable:,} unusable" if attack.unusable else "")
        )
    return lines


def _threshold_table(evaluation: Evaluation) -> list[str]:
    marked = {s.point.threshold for s in evaluation.suggestions if s.point} | {evaluation.threshold}
    lines = [f"{'threshold':<9}  {'precision':>9}  {'95 % CI':>11}  {'wrong':>5}  {'recall':>8}  {'95 % CI':>11}"]
    for point in evaluation.curve:
        if point.threshold in marked or point.threshold in THRESHOLDS:
            lines.append(_threshold_line(point) + (" *" if point.threshold == evaluation.threshold else ""))
    return [*lines, "* in force"]


def _threshold_line(point: ThresholdPoint) -> str:
    precision, interval = "-", ""
    if point.precision is not None:
        precision, interval = share_text(point.precision), interval_text(point.precision)
    return (
        f"{point.threshold:<9g}  {precision:>9}  {interval:>11}  {point.wrong:>5,}  {share_text(point.recall):>8}  "
        f"{interval_text(point.recall):>11}"
    )


def _advice(evaluation: Evaluation) -> list[str]:
    return [_suggestion(suggestion, evaluation) for suggestion in evaluation.suggestions]


def _suggestion(suggestion: Suggestion, evaluation: Evaluation) -> str:
    wanted = f"precision surely {100 * suggestion.target:g} %"
    point = suggestion.point
    if point is None:
        why = "too few pairs to be sure at any threshold" if suggestion.reached else "at no threshold"
        return f"{wanted}: {why}"
    if point.threshold == evaluation.threshold:
        return f"{wanted}: --threshold {point.threshold:g}, as it is"
    copies = point.recall.hits - evaluation.direct.hits
    finds = (
        f"{count(abs(copies), 'copy', 'copies')} {'more' if copies > 0 else 'fewer'} than" if copies else "as many as"
    )
    return f"{wanted}: --threshold {point.threshold:g}, which finds {finds} {evaluation.threshold:g}"


def _wrong(wrong: Sequence[WrongPair], base: Path | None) -> list[str]:
    if not wrong:
        return []
    lines = ["wrong pairs:"]
    for pair in wrong[:SHOWN]:
        a, b = _picture(pair.a, pair.a_attack, base), _picture(pair.b, pair.b_attack, base)
        lines.append(f"  {pair.score:.3f}  {a} - {b}: {pair.relation}")
    return lines + _rest(len(wrong))


def _missed(missed: Sequence[MissedCopy], base: Path | None) -> list[str]:
    if not missed:
        return []
    lines = ["missed copies:"]
    for copy in missed[:SHOWN]:
        score = f", score {copy.score:.3f}" if copy.score else ""
        linked = "; but in its group" if copy.linked else ""
        lines.append(f"  {_picture(copy.path, copy.attack, base)}: {WHY[copy.why]}{score}{linked}")
    return lines + _rest(len(missed))


def _picture(path: Path, attack: str, base: Path | None) -> str:
    return short(path, base) + (f" ({attack})" if attack else "")


def _rest(number: int) -> list[str]:
    return [f"  ... and {number - SHOWN:,} more; --json lists them all"] if number > SHOWN else []


def evaluation_json(evaluation: Evaluation) -> dict[str, Any]:
    """Return all of it as plain values."""
    return {
        "schema": SCHEMA_VERSION,
        "kind": "evaluate",
        "found": evaluation.found,
        "pictures": evaluation.used,
        "copies": evaluation.copies,
        "per_picture": evaluation.per_picture,
        "seed": evaluation.seed,
        "threshold": evaluation.threshold,
        "skipped": dict(evaluation.skipped),
        "own_pairs": evaluation.own_pairs,
        "own_copies": evaluation.own_copies,
        "recall": rate_json(evaluation.direct),
        "linked": rate_json(evaluation.linked),
        "precision": rate_json(evaluation.precision),
        "search": rate_json(evaluation.retrieval),
        "search_all": rate_json(evaluation.searched),
        "false_pairs": rate_json(evaluation.false_rate),
        "overflowed": evaluation.overflowed,
        "attacks": [
            {
                "attack": attack.attack,
                "strength": attack.strength,
                "recall": rate_json(attack.direct),
                "linked": rate_json(attack.linked),
                "search": rate_json(attack.retrieval),
                "unusable": attack.unusable,
            }
            for attack in evaluation.attacks
        ],
        "thresholds": [_point_json(point) for point in evaluation.curve],
        "suggestions": [
            {"precision": s.target, "threshold": None if s.point is None else s.point.threshold, "reached": s.reached}
            for s in evaluation.suggestions
        ],
        "wrong": [
            {
                "a": {**path_json(pair.a), "attack": pair.a_attack},
                "b": {**path_json(pair.b), "attack": pair.b_attack},
                "score": round(pair.score, 6),
                "relation": pair.relation,
            }
            for pair in evaluation.wrong
        ],
        "missed": [
            {
                **path_json(copy.path),
                "attack": copy.attack,
                "why": copy.why,
                "score": round(copy.score, 6),
                "linked": copy.linked,
            }
            for copy in evaluation.missed
        ],
        "failures": [failure_json(failure) for failure in evaluation.failures],
        "seconds": dict(evaluation.seconds),
    }


def rate_json(rate: Rate | None) -> dict[str, int | float] | None:
    """Return a share with its 95 % interval; None where nothing was counted."""
    if rate is None:
        return None
    return {
        "hits": rate.hits,
        "total": rate.total,
        "share": round(rate.share, 9),
        "low": round(rate.low, 9),
        "high": round(rate.high, 9),
    }


def _point_json(point: ThresholdPoint) -> dict[str, Any]:
    return {
        "threshold": point.threshold,
        "wrong": point.wrong,
        "precision": rate_json(point.precision),
        "recall": rate_json(point.recall),
    }
