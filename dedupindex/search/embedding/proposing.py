"""Candidates from an embedding of one's own, beside those of the descriptor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from dedupindex.execution.engine import Proposer
from dedupindex.records import Candidate
from dedupindex.search.embedding.stored import Embedded, as_probes


class WithEmbedding:
    """Adds the neighbours by an embedding to what another proposer gives.

    Every candidate is confirmed in the same way, whoever proposed it.
    """

    def __init__(self, proposer: Proposer, vectors: Embedded) -> None:
        self._proposer, self._vectors = proposer, vectors
        self.radius = proposer.radius

    def near(self, ids: Sequence[int]) -> Mapping[int, tuple[list[Candidate], bool]]:
        """Candidates of each described image; those of the embedding come after the others."""
        proposed = self._proposer.near(ids)
        merged: dict[int, tuple[list[Candidate], bool]] = dict(proposed)
        for image, more in neighbours(self._vectors, list(proposed)).items():
            candidates, overflow = merged[image]
            known = {candidate.image_id for candidate in candidates}
            merged[image] = ([*candidates, *(one for one in more if one.image_id not in known)], overflow)
        return merged

    def ranked(self, todo: Sequence[int], deadline: float) -> list[int]:
        """Order images as the other proposer does."""
        return self._proposer.ranked(todo, deadline)


def neighbours(vectors: Embedded, ids: Sequence[int]) -> dict[int, list[Candidate]]:
    """The nearest images by the embedding, within its radius, of each image that has a vector.

    Parameters
    ----------
    vectors : Embedded
    ids : sequence of int
        Image ids.

    Returns
    -------
    dict of int to list of Candidate
        Nearest first, without the image itself.
    """
    rows = {image: row for image in ids if (row := vectors.row_of(image)) is not None}
    if not rows:
        return {}
    options = vectors.embedding.options
    probes = as_probes(np.stack(list(rows.values())))
    answers = vectors.index.search(probes, options.radius, options.neighbours + 1)
    return {
        image: [
            Candidate(other, distance)
            for other, distance in zip(answer.ids.tolist(), answer.distances.tolist(), strict=True)
            if other != image
        ]
        for image, answer in zip(rows, answers, strict=True)
    }
