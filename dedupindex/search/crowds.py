"""Pictures in a crowd: more candidates than are compared.

Pages of one layout, frames of one film, objects of one kind are near each other by hundreds, and a copy need not be
among the nearest. But its keypoints match nearly exactly. So more candidates of such a picture are sought, their
keypoints are matched, and the best of them are compared beside the nearest ones. Which ones that are depends on the
picture and on what is stored, not on the order in which pictures are searched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from dedupindex.features.model import load_model
from dedupindex.records import Candidate
from dedupindex.verify.vetting import Sketch, sharp_matches

CROWD = 8  # times as many candidates as are compared are looked at; the next ones are not seen at all


def most_alike(picture: Sketch, near: Sequence[Candidate], stored: Mapping[int, Sketch], most: int) -> list[Candidate]:
    """Half of what is compared are the nearest candidates, the others those whose keypoints match best.

    Parameters
    ----------
    picture : Sketch
    near : sequence of Candidate
        Nearest first.
    stored : mapping
        Sketches of the candidates, by image id; those without one are left out.
    most : int
        How many stay.

    Returns
    -------
    list of Candidate
        In the order of *near*.
    """
    known = [one for one in near if one.image_id in stored]
    if len(known) <= most:
        return known
    matches = sharp_matches([(picture, stored[one.image_id]) for one in known], load_model().local_parity)
    nearest = most // 2
    best = nearest + np.argsort(-matches[nearest:], kind="stable")[: most - nearest]
    return known[:nearest] + [known[number] for number in sorted(best.tolist())]
