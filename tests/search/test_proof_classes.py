"""What follows from proofs of other pairs, with proofs that are made up."""

import dataclasses

import numpy as np
import pytest

from dedupindex.records import Outcome, Proof, Region
from dedupindex.search.proof_classes import CLEAN_NOISE, ProofPlan, is_clean
from dedupindex.store.catalog_proofs import DuePair, StoredProof
from dedupindex.verify.proof.matching import RIM


def scaling(of, onto):
    """The map of pixels of a picture of one size to those of another of the same content."""
    step = onto / of  # pixel centres: the first lies at half a pixel
    return ((step, 0.0, (step - 1) / 2), (0.0, step, (step - 1) / 2))


class World:
    """Pictures of one scene: each has a size, noise, and what was edited, which shows down to some size."""

    def __init__(self, **pictures):
        self.names = sorted(pictures)
        self.size = {number: pictures[name][0] for number, name in enumerate(self.names, 1)}
        self.edit = {number: pictures[name][1] for number, name in enumerate(self.names, 1)}
        self.noise = {number: pictures[name][2] for number, name in enumerate(self.names, 1)}
        self.asked = []

    def id(self, name):
        return self.names.index(name) + 1

    def due(self, score=lambda a, b: 1.0):
        pairs = [(a, b) for a in self.size for b in self.size if a < b]
        pairs.sort(key=lambda pair: (-score(*pair), pair))
        return [DuePair(a, b, score(a, b), scaling(self.size[b], self.size[a])) for a, b in pairs]

    def prove(self, a, b):
        """What the numerics would say: an edit shows where the grid is fine enough and the noise low."""
        self.asked.append((a, b))
        grid = min(self.size[a], self.size[b], 1024)
        noise = max(self.noise[a], self.noise[b]) / 255
        shows = grid >= 300 and noise < 5 / 255 and self.edit[a] != self.edit[b]
        area = 1 - (1 - 2 * RIM / grid) ** 2
        region = Region((self.size[a] // 10,) * 4, (self.size[b] // 10,) * 4, 0.01, 0.5)
        return Proof(
            Outcome.EDITED if shows else Outcome.SAME,
            regions=(region,) if shows else (),
            changed=0.01 if shows else 0.0,
            noise=noise,
            grid=(grid, grid),
            compared=1 - area,
            matrix=scaling(self.size[b], self.size[a]),
        )

    def plan(self, due=None, known=(), equal=()):
        shapes = {image: (side, side) for image, side in self.size.items()}
        names = dict(enumerate(self.names, 1))
        return ProofPlan(self.due() if due is None else due, shapes, names, known=known, equal=equal)

    def run(self, plan=None):
        """All proofs, and how many rounds it took."""
        plan = plan or self.plan()
        found = {(one.a, one.b): one for one in plan.derive()}
        rounds = 0
        while chosen := plan.next_round():
            rounds += 1
            assert rounds < 100
            proofs = {(pair.a, pair.b): self.prove(pair.a, pair.b) for pair in chosen}
            found |= {pair: StoredProof(*pair, proof, derived=False) for pair, proof in proofs.items()}
            plan.take(proofs)
            found |= {(one.a, one.b): one for one in plan.derive()}
        assert plan.left == 0
        return found, rounds


def test_copies_cost_as_many_proofs_as_there_are_pictures():
    world = World(**{f"c{number:02d}": (1000, 0, 0.5) for number in range(20)})
    found, rounds = world.run()
    assert len(found) == 190
    assert len(world.asked) == 19
    assert rounds == 1
    assert {one.proof.outcome for one in found.values()} == {Outcome.SAME}
    assert sum(one.derived for one in found.values()) == 171


def test_an_edit_with_many_copies_is_told_from_all_of_the_original():
    world = World(
        **{f"o{number}": (1000, 0, 0.5) for number in range(6)}, **{f"e{number}": (1000, 1, 0.5) for number in range(6)}
    )
    found, _ = world.run()
    for (a, b), one in found.items():
        assert (one.proof.outcome is Outcome.EDITED) == (world.edit[a] != world.edit[b]), (a, b)
    assert len(world.asked) < 30  # of 66


@pytest.mark.parametrize("bridge", [(160, 0, 0.5), (1000, 0, 9.0)], ids=["thumbnail", "noisy copy"])
def test_what_shows_less_does_not_join_an_original_and_its_edit(bridge):
    world = World(original=(1000, 0, 0.5), edit=(1000, 1, 0.5), bridge=bridge)
    original, edit = sorted((world.id("original"), world.id("edit")))
    first = world.due(lambda a, b: 0.5 if (a, b) == (original, edit) else 0.9)  # the pair itself comes last
    found, _ = world.run(world.plan(first))
    assert found[original, edit].proof.outcome is Outcome.EDITED
    assert not found[original, edit].derived


def test_a_thumbnail_is_the_same_as_a_copy_of_what_it_is_the_same_as():
    world = World(one=(1000, 0, 0.5), other=(900, 0, 0.5), small=(160, 0, 0.5))
    one, other, small = map(world.id, ("one", "other", "small"))
    due = world.due(lambda a, b: 0.5 if {a, b} == {other, small} else 0.9)
    found, _ = world.run(world.plan(due))
    last = found[min(other, small), max(other, small)]
    assert (last.derived, last.proof.outcome) == (True, Outcome.SAME)
    size = world.size
    assert np.allclose(last.proof.matrix, scaling(size[max(other, small)], size[min(other, small)]))
    assert len(world.asked) == 2
    assert one in world.asked[0]


def test_a_derived_edit_says_where_it_lies_in_its_own_pictures():
    world = World(a=(1000, 0, 0.5), b=(500, 0, 0.5), e=(1000, 1, 0.5))
    due = world.due(lambda a, b: 0.5 if {a, b} == {world.id("b"), world.id("e")} else 0.9)
    found, _ = world.run(world.plan(due))
    derived = found[world.id("b"), world.id("e")]
    assert derived.derived
    assert derived.proof.outcome is Outcome.EDITED
    [region] = derived.proof.regions
    assert region.box == (50, 50, 50, 50)
    assert region.box_b == (100, 100, 100, 100)
    assert "through" in derived.proof.reason


def test_what_is_known_from_earlier_runs_counts():
    world = World(**{f"c{number}": (1000, 0, 0.5) for number in range(5)})
    new = 5
    old = [StoredProof(a, b, world.prove(a, b), derived=False) for a, b in ((1, 2), (2, 3), (3, 4))]
    world.asked.clear()
    due = [pair for pair in world.due() if pair.b == new]
    found, _ = world.run(world.plan(due, known=old))
    assert len(found) == 4
    assert len(world.asked) == 1


def test_pictures_with_the_same_pixels_share_every_verdict():
    world = World(a=(1000, 0, 0.5), b=(1000, 0, 0.5), e=(1000, 1, 9.0))
    due = [pair for pair in world.due() if {pair.a, pair.b} != {1, 2}]
    found, _ = world.run(world.plan(due, equal=[(1, 2)]))
    assert len(world.asked) == 1
    assert len(found) == 2


def test_what_could_not_be_told_says_nothing_of_others():
    world = World(**{f"c{number}": (1000, 0, 0.5) for number in range(3)})
    world.prove = lambda a, b: Proof(Outcome.NONE, reason="gone")
    found, _ = world.run()
    assert [one.derived for one in found.values()] == [False] * 3


def test_a_link_is_clean_only_where_all_of_both_was_compared():
    proof = Proof(Outcome.SAME, noise=0.001, grid=(500, 500), compared=1.0, matrix=scaling(500, 1000))
    assert is_clean(proof, (1000, 1000), (500, 500))
    assert not is_clean(proof, (1100, 1000), (500, 500))  # shows more
    assert not is_clean(dataclasses.replace(proof, compared=0.9), (1000, 1000), (500, 500))
    assert not is_clean(dataclasses.replace(proof, noise=2 * CLEAN_NOISE), (1000, 1000), (500, 500))
    assert not is_clean(dataclasses.replace(proof, outcome=Outcome.EDITED), (1000, 1000), (500, 500))
