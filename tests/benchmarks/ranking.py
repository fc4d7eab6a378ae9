"""Which picture leads a group, and whom a plan keeps, against a benchmark folder of which the origins are known.

``python -m tests.benchmarks.ranking DATABASE TRUTH.csv`` takes a database in which a folder of the accuracy benchmark
was scanned (photographs, each with some made copies) and its table of ``file,group,attack,base``. It plans every
relation that may be planned, and tells:

- groups in which the leading picture is not the one that the plan keeps,
- in how many groups the original, or a copy with its pixels, leads,
- originals that would go in favour of a copy that was made from it and is worse, each with the rule.

Nothing is touched. Groups without their scene's original are left out; with ``--proven`` also those of which a pair was
not compared at full resolution yet.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dedupindex import Index, PlanOptions
from dedupindex.records import DuplicateGroup, Relation
from dedupindex.records.plans import Plan, PlanItem

ORIGINAL = "original"
EQUAL = frozenset({ORIGINAL, "exact_copy", "png"})  # show the very pixels of the original
WORSE = frozenset({  # have less than what they were made from, or something added to it
    "jpeg_mild", "jpeg_harsh", "webp", "gif", "gray", "brightness", "contrast", "gamma", "colour", "blur", "noise",
    "sharpen", "invert_tone_posterize", "downscale", "upscale", "stretch", "border", "letterbox", "caption", "meme_bar",
    "watermark", "logo", "screenshot", "social", "exposure_16bit", "nodata_alpha", "nodata_nan", "speckle",
})  # fmt: skip
NAMED = frozenset({  # of which the issue says that no original goes for them
    "noise", "speckle", "upscale", "sharpen", "border", "letterbox", "meme_bar", "caption", "gray", "brightness",
    "contrast", "gamma", "colour", "exposure_16bit",
})  # fmt: skip
NEVER = (Relation.SHIFTED_OVERLAP, Relation.ALTERNATE, Relation.UNPROVEN)
TARGET = 0.97  # share of groups in which the original leads


@dataclass(slots=True)
class Found:
    """What was counted."""

    groups: int = 0
    led: Counter[str] = field(default_factory=Counter)  # attack of the leading picture -> groups
    behind: list[tuple[str, str, str, str]] = field(default_factory=list)  # group, leader's attack, files, rule
    starred: list[PlanItem] = field(default_factory=list)  # leading pictures that the plan takes
    other_keepers: list[PlanItem] = field(default_factory=list)  # compared with the leading one, and kept by another
    lost: list[tuple[PlanItem, str]] = field(default_factory=list)  # originals, with the attack of their keeper
    items: int = 0
    judged: int = 0

    @property
    def share(self) -> float:
        """Share of groups that the original, or an equal copy, leads."""
        return sum(self.led[attack] for attack in EQUAL) / max(1, self.groups)


def measure(
    groups: Sequence[DuplicateGroup], plan: Plan, truth: Mapping[str, tuple[str, str]], *, proven: bool
) -> Found:
    """Count.

    Parameters
    ----------
    groups : sequence of DuplicateGroup
        In the order of the report.
    plan : Plan
        Of the same groups.
    truth : mapping
        Name of a file -> its scene and what was done to it.
    proven : bool
        Leave out groups with a pair that was not compared at full resolution.
    """
    found = Found()
    items: dict[Path, PlanItem] = {item.file.path: item for item in plan.items}
    for group in groups:
        files = [place.path for member in group.members for place in member.image.locations]
        scenes = Counter(truth[path.name][0] for path in files if path.name in truth)
        if not scenes or (proven and any(pair.proof is None and not _direct(pair.relations) for pair in group.pairs)):
            continue
        [(scene, _)] = scenes.most_common(1)
        if not any(truth.get(path.name) == (scene, ORIGINAL) for path in files):
            continue
        found.groups += 1
        leader = group.members[0].image
        leading = {place.path for place in leader.locations}
        attacks = {truth[path.name][1] for path in leading if path.name in truth}
        attack = next(iter(sorted(attacks & EQUAL)), None) or next(iter(sorted(attacks)), "a stranger")
        found.led[attack] += 1
        if attack not in EQUAL:
            original = next(path for path in files if truth.get(path.name) == (scene, ORIGINAL))
            rule = next(
                (m.because for m in group.members
                 if original in {place.path for place in m.image.locations}), "",
            )  # fmt: skip
            found.behind.append((group.id, attack, f"{original.name} behind {min(leading).name}", rule))
        compared = {pair.a.id for pair in group.pairs if pair.b.id == leader.id}
        compared |= {pair.b.id for pair in group.pairs if pair.a.id == leader.id}
        ids = {place.path: member.image.id for member in group.members for place in member.image.locations}
        if leading <= items.keys():
            found.starred.append(items[min(leading)])
        for path in files:
            item = items.get(path)
            if item is None:
                continue
            found.items += 1
            found.judged += item.judgement
            if item.keeper.path not in leading and ids[path] in compared:
                found.other_keepers.append(item)
            keeper = truth.get(item.keeper.path.name)
            if truth.get(path.name) == (scene, ORIGINAL) and keeper is not None and keeper[1] in WORSE:
                found.lost.append((item, keeper[1]))
    return found


def _direct(relations: Sequence[Relation]) -> bool:
    return bool({Relation.SAME_BYTES, Relation.SAME_PIXELS}.intersection(relations))


def lines(found: Found) -> list[str]:
    """What was counted, in words."""
    named = [(item, attack) for item, attack in found.lost if attack in NAMED]
    told = [
        f"{found.groups} groups with their original; {found.items} files planned, {found.judged} as judgement calls",
        f"the original, or a copy with its pixels, leads {found.share:.1%} (wanted {TARGET:.0%})",
        f"leading pictures that the plan takes: {len(found.starred)}",
        f"files compared with the leading picture and kept by another one: {len(found.other_keepers)}",
        f"originals that go for a worse copy: {len(found.lost)}, of these for one of the named kinds: {len(named)}",
    ]
    told += [f"  led by {attack}: {what}; {rule}" for _, attack, what, rule in found.behind]
    told += [
        f"  goes for {attack}: {item.file.path.name} for {item.keeper.path.name}, by {item.rule}: {item.because}"
        f"{' (judgement call)' if item.judgement else ''} [{'+'.join(item.relations)}]"
        for item, attack in found.lost
    ]
    told += [
        f"  not kept by the leader: {item.file.path.name} for {item.keeper.path.name}: {item.rule}, {item.because}"
        for item in found.other_keepers
    ]
    return told


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else "")
    parser.add_argument("database", type=Path)
    parser.add_argument("truth", type=Path)
    parser.add_argument("--proven", action="store_true", help="only groups of which all pairs are proven")
    asked = parser.parse_args(arguments)
    with asked.truth.open(newline="") as file:
        truth = {row["file"]: (row["group"], row["attack"]) for row in csv.DictReader(file)}
    relations = tuple(relation for relation in Relation if relation not in NEVER)
    with Index.open(asked.database) as index:
        groups = index.report(find=False).groups
        plan = index.plan(PlanOptions(relations=relations))
    found = measure(groups, plan, truth, proven=asked.proven)
    sys.stdout.write("\n".join(lines(found)) + "\n")
    return int(found.share < TARGET or bool(found.starred) or any(attack in NAMED for _, attack in found.lost))


if __name__ == "__main__":
    sys.exit(main())
