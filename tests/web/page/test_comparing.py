"""What the page says of two pictures: how one lies on the other, and what differs."""

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="needs the extra web")

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from dedupindex.records import (
    DuplicateGroup,
    GroupMember,
    ImageRecord,
    LocationRecord,
    Pair,
    Registration,
    Verification,
)
from dedupindex.records.companions import Companion, CompanionKind
from dedupindex.records.pictures import FileFacts
from dedupindex.web.page.comparing import lying, stage, table


def image_of(number, *, width=400, height=300, path="/a/x.jpg", **values):
    place = LocationRecord(Path(path), size=values.pop("size", 1000), mtime_ns=values.pop("mtime_ns", 10**18),
                           companions=values.pop("companions", ()))  # fmt: skip
    known = {"format": "JPEG", "bits": 8, "channels": 3, "lossless": False, "metadata_count": 0} | values
    return ImageRecord(number, bytes([number]) * 32, 0, width=width, height=height, valid_share=1.0,
                       low_information=False, scaling="", locations=(place,), **known)  # fmt: skip


def pair_of(a, b, matrix):
    rows = tuple(tuple(float(value) for value in row) for row in np.asarray(matrix)[:2])
    return Pair(a, b, Verification(True, 0.9, (), Registration((0.0, 0.0), matrix=rows), ""))


def group_of(images, pairs):
    return DuplicateGroup("g", tuple(GroupMember(image, "", 0.9) for image in images), tuple(pairs), None)


def affine(draw):
    angle, scale = draw(st.floats(-3, 3)), draw(st.floats(0.3, 3))
    mirrored = draw(st.booleans())
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if mirrored:
        turn[:, 0] *= -1
    return np.vstack([np.column_stack([turn, [draw(st.floats(-50, 50)), draw(st.floats(-50, 50))]]), [0, 0, 1]])


affines = st.composite(affine)()


@given(
    st.lists(affines, min_size=4, max_size=4),
    st.permutations(range(4)),
    st.lists(st.booleans(), min_size=3, max_size=3),
)
def test_registrations_add_up_along_any_chain(maps, order, turned):
    """Every picture lies somewhere on a common plane; pairs know their difference, and the chain adds them up."""
    images = [image_of(number + 1) for number in range(4)]
    chain = [(order[place], order[place + 1]) for place in range(3)]
    pairs = []
    for (one, other), swap in zip(chain, turned, strict=True):
        a, b = (other, one) if swap else (one, other)
        pairs.append(pair_of(images[a], images[b], np.linalg.inv(maps[a]) @ maps[b]))
    group = group_of(images, pairs)
    for left in range(4):
        for right in range(4):
            lies = lying(group, images[left].id, images[right].id)
            assert lies is not None
            assert lies.steps == abs(order.index(left) - order.index(right))
            assert (lies.pair is not None) == (lies.steps == 1)
            wanted = np.linalg.inv(maps[left]) @ maps[right]
            assert np.allclose(np.array(lies.matrix), wanted[:2], atol=1e-5, rtol=1e-5)


def test_what_is_not_linked_lies_nowhere():
    images = [image_of(1), image_of(2), image_of(3, width=800, height=300)]
    group = group_of(images, [pair_of(images[0], images[1], np.eye(3))])
    assert lying(group, 1, 3) is None
    shown = stage(images[0], images[2], None)
    assert shown["aligned"] is False
    assert shown["matrix"] == [0.5, 0.0, 0.0, 0.0, 0.5, 0.0]  # as wide as the left one
    assert shown["regions"] == []


def rows_of(left, right, facts=None):
    given = facts or {}
    return {row.name: row for row in table(left, right, lambda image: given.get(image.id, FileFacts()))}


def test_the_table_marks_what_is_better():
    left = image_of(1, width=400, height=300, size=50_000, path="/a/x.jpg", mtime_ns=10**18)
    right = image_of(2, width=800, height=600, size=90_000, path="/b/x.jpg", mtime_ns=2 * 10**18,
                     companions=(Companion(Path("/b/x.xmp"), CompanionKind.EDITS),))  # fmt: skip
    facts = {
        1: FileFacts(taken="2024-05-01T10:00:00", camera="Z 6", rating=2, quality=95),
        2: FileFacts(taken="2024-05-02T10:00:00", rating=5, quality=80),
    }
    rows = rows_of(left, right, facts)
    better = {name: (row.left.better, row.right.better) for name, row in rows.items()}
    assert better["Pixels"] == better["Size"] == better["Rating"] == better["Companions"] == (False, True)
    assert better["Compression"] == better["Taken"] == better["Modified"] == better["Camera"] == (True, False)
    assert rows["Format"].equal
    assert rows["File"].equal
    assert not rows["Folder"].equal
    assert rows["Rating"].right.text == "★★★★★"
    assert rows["Compression"].left.text == "JPEG quality 95"
    assert rows["Modified"].left.moment == "2001-09-09T01:46:40Z"
    assert "x.xmp" in rows["Companions"].right.text


def test_equal_values_are_neither_better():
    rows = rows_of(image_of(1), image_of(2))
    assert all(row.equal for row in rows.values())
    assert not any(row.left.better or row.right.better for row in rows.values())
    assert "Camera" not in rows  # nobody knows it
    lossless = rows_of(image_of(1, format="PNG", lossless=True), image_of(2), {2: FileFacts(quality=100)})
    assert lossless["Compression"].left.better
