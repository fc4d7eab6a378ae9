import cv2
import numpy as np
import pytest

from dedupindex.records import Side
from dedupindex.settings import Settings
from dedupindex.verify.pieces.confirmation import find_pieces, view_of
from tests.scenes import features, photograph

PIECES = Settings(profile="pieces", trim_borders=False)


def view(picture):
    found = view_of(features(np.ascontiguousarray(picture), settings=PIECES))
    assert found is not None
    return found


def scaled(picture, factor):
    return cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA if factor < 1 else 2)


def near(box, wanted, slack):
    return all(abs(one - other) <= slack for one, other in zip(box, wanted, strict=True))


def planted(names, places, scale=0.4):
    """A black sheet of 700 x 900 with photographs at places (top, left); the boxes that they take."""
    sheet = np.full((700, 900, 3), 10, np.uint8)
    boxes = []
    for name, (top, left) in zip(names, places, strict=True):
        small = scaled(photograph(name), scale)
        sheet[top : top + small.shape[0], left : left + small.shape[1]] = small
        boxes.append((top, left, *small.shape[:2]))
    return sheet, boxes


def test_a_crop_is_a_piece_of_its_original():
    whole = photograph("astronaut")
    [(side, found)] = find_pieces(view(whole), view(whole[100:300, 200:420]))
    assert side is Side.A  # the whole contains the crop
    assert near(found.box, (100, 200, 200, 220), 8)
    assert near(found.part_box, (0, 0, 200, 220), 8)
    assert found.part_share > 0.9
    assert 0.05 < found.share < 0.2
    assert found.scale == pytest.approx(1, abs=0.02)
    assert abs(found.rotation) < 1
    assert not found.mirrored
    assert near([v for point in found.quad for v in point], (200, 100, 420, 100, 420, 300, 200, 300), 10)


def test_the_answer_is_the_same_from_the_other_side():
    whole, part = view(photograph("astronaut")), view(photograph("astronaut")[100:300, 200:420])
    [(one, first)] = find_pieces(whole, part)
    [(other, second), *_] = find_pieces(part, whole)
    assert (one, other) == (Side.A, Side.B)
    assert near(first.box, second.box, 6)
    assert near(first.part_box, second.part_box, 6)


@pytest.mark.parametrize("angle", [0, 35, 90, 180])
@pytest.mark.parametrize("mirrored", [False, True])
def test_planted_crops_turned_and_mirrored(angle, mirrored):
    whole = photograph("astronaut")
    part = whole[80:380, 150:450]
    if mirrored:
        part = part[:, ::-1]
    matrix = cv2.getRotationMatrix2D((150, 150), angle, 1.0)
    part = cv2.warpAffine(np.ascontiguousarray(part), matrix, (300, 300))[40:260, 40:260]
    [(side, found)] = find_pieces(view(whole), view(part))
    assert side is Side.A
    assert found.mirrored is mirrored
    # the part was turned counter-clockwise, so it must be turned back to lie on the whole
    assert abs(
        (found.rotation + (angle if not mirrored else -angle) * (-1 if mirrored else 1) + 180) % 360 - 180
    ) < 3 or (mirrored and abs((found.rotation - angle + 180) % 360 - 180) < 3)
    middle = np.array(found.quad).mean(0)
    assert np.abs(middle - (300, 230)).max() < 12


def test_a_collage_shows_all_of_an_original():
    sheet, boxes = planted(["astronaut", "coffee", "cat"], [(20, 30), (300, 40), (330, 500)])
    for name, box in zip(["astronaut", "coffee", "cat"], boxes, strict=True):
        [(side, found)] = find_pieces(view(photograph(name)), view(sheet))
        assert side is Side.B
        assert near(found.box, box, 12), (name, found.box, box)
        assert found.part_share > 0.7
        assert found.scale == pytest.approx(0.4, abs=0.02)


def test_two_collages_share_two_pictures():
    one, _ = planted(["astronaut", "coffee", "rocket"], [(20, 30), (300, 40), (20, 500)])
    other, _ = planted(["coffee", "astronaut", "cat"], [(20, 500), (350, 520), (20, 30)])
    found = find_pieces(view(one), view(other))
    assert len(found) == 2
    tops = sorted(piece.box[0] if side is Side.A else piece.part_box[0] for side, piece in found)
    assert abs(tops[0] - 20) < 25
    assert abs(tops[1] - 300) < 25


def test_one_picture_twice_in_another():
    sheet, boxes = planted(["astronaut", "astronaut"], [(20, 30), (400, 500)])
    found = [piece for _, piece in find_pieces(view(photograph("astronaut")), view(sheet))]
    assert len(found) == 2
    for box in boxes:
        assert any(near(piece.box, box, 12) for piece in found)


def test_a_print_on_a_wall():
    ground = photograph("coffee").copy()
    picture = photograph("astronaut")
    rows, columns = picture.shape[:2]
    source = np.array([[0, 0], [columns, 0], [columns, rows], [0, rows]], np.float32)
    target = np.array([[150, 60], [420, 100], [400, 330], [170, 360]], np.float32)
    matrix = cv2.getPerspectiveTransform(source, target)
    shown = cv2.warpPerspective(picture, matrix, ground.shape[1::-1], flags=cv2.INTER_AREA)
    inside = cv2.warpPerspective(np.ones((rows, columns), np.uint8), matrix, ground.shape[1::-1]) > 0
    ground[inside] = shown[inside]
    found = [piece for side, piece in find_pieces(view(picture), view(ground)) if side is Side.B]
    assert found
    assert near(found[0].box, (60, 150, 300, 270), 25)


@pytest.mark.parametrize("other", ["coffee", "cat", "rocket", "coins", "camera"])
def test_strangers_share_nothing(other):
    assert find_pieces(view(photograph("astronaut")), view(photograph(other))) == []


def page(seed, picture=None):
    random = np.random.default_rng(seed)
    sheet = np.full((1000, 800, 3), 250, np.uint8)
    words = ["the", "sample", "under", "light", "shows", "growth", "of", "and", "result"]
    for line in range(40, 980, 22):
        text = " ".join(random.choice(words, 9))
        cv2.putText(sheet, text, (30, line), cv2.FONT_HERSHEY_SIMPLEX, 0.55, (20, 20, 20), 1, cv2.LINE_AA)
    if picture is not None:
        small = scaled(picture, 0.6)
        sheet[300 : 300 + small.shape[0], 200 : 200 + small.shape[1]] = small
    return sheet


def test_pages_of_one_type_share_no_piece_but_their_picture():
    """The same letters, words and lines, the same header: text proves nothing. A picture among it does."""
    assert find_pieces(view(page(1)), view(page(2))) == []
    assert find_pieces(view(page(1, photograph("cat"))), view(page(2, photograph("coffee")))) == []
    [(side, found)] = find_pieces(view(photograph("cat")), view(page(1, photograph("cat"))))
    assert side is Side.B
    small = scaled(photograph("cat"), 0.6)
    assert near(found.box, (300, 200, *small.shape[:2]), 15)
