import math

import pytest

from dedupindex.records import Outcome, Proof, Region, Registration, Relation
from dedupindex.reports.laid_pairs import laid_on_first
from dedupindex.reports.page_environment import outline_of
from tests.reports.samples import image, pair


def moved(laid, x, y):
    a, b, c, d, e, f = laid.matrix
    return a * x + c * y + e, b * x + d * y + f


def turned_by(degrees, scale=1.0, shift=(5.0, -7.0)):
    cosine, sine = scale * math.cos(math.radians(degrees)), scale * math.sin(math.radians(degrees))
    return (cosine, sine, shift[0]), (-sine, cosine, shift[1])


@pytest.mark.parametrize(
    "matrix", [turned_by(0), turned_by(30, 0.5), turned_by(90, 2.0), ((-1.0, 0.0, 99.0), (0.0, 1.0, 0.0))]
)
def test_it_lies_where_the_outline_is_drawn(matrix):
    a, b = image(1, "/a.png", width=400, height=200), image(2, "/b.png", width=200, height=100)
    found = pair(a, b, Relation.RESIZED, registration=Registration((0, 0), matrix=matrix))
    laid = laid_on_first(a, b, found)
    corners = ((0, 0), (b.width, 0), (b.width, b.height), (0, b.height))
    drawn = [tuple(map(float, point.split(","))) for point in outline_of(found).points.split()]
    for (x, y), expected in zip(corners, drawn, strict=True):
        assert moved(laid, x, y) == pytest.approx(expected, abs=0.06)  # drawn with one digit
    left, top, width, height = laid.outside
    for x, y in [*drawn, (0, 0), (a.width, a.height)]:
        assert left - 0.1 <= x <= left + width + 0.1
        assert top - 0.1 <= y <= top + height + 0.1
    back = laid_on_first(b, a, found)  # the first of the group is picture b of the pair
    for point in ((0, 0), (17.5, 40), (400, 200)):
        assert moved(laid, *moved(back, *point)) == pytest.approx(point, abs=1e-6)


def test_changed_places_are_those_of_the_first():
    a, b = image(1, "/a.png"), image(2, "/b.png")
    proof = Proof(Outcome.EDITED, compared=1.0, regions=(Region((1, 2, 3, 4), (5, 6, 7, 8), 0.1, 0.2),))
    found = pair(a, b, Relation.EDITED, proof=proof)
    assert laid_on_first(a, b, found).changed == ((2, 1, 4, 3),)
    assert laid_on_first(b, a, found).changed == ((6, 5, 8, 7),)
    assert laid_on_first(a, b, pair(a, b, proof=None)).changed == ()


def test_a_map_without_inverse_is_not_laid():
    a, b = image(1, "/a.png"), image(2, "/b.png")
    flat = Registration((0, 0), matrix=((1.0, 1.0, 0.0), (1.0, 1.0, 0.0)))
    assert laid_on_first(b, a, pair(a, b, registration=flat)) is None
