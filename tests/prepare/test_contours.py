import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from dedupindex.prepare import (
    boundary_contours,
    contour_curvature,
    contour_normals,
    resample_contour,
    smooth_contour,
    smooth_mask,
)


def disc(radius, side=101, centre=None):
    y, x = np.mgrid[:side, :side]
    cy, cx = centre or ((side - 1) / 2,) * 2
    return np.hypot(y - cy, x - cx) <= radius


def circle(radius, count, centre=(0.0, 0.0)):
    """Clockwise as the picture is seen: outer."""
    t = 2 * np.pi * np.arange(count) / count
    return np.stack([centre[0] + radius * np.sin(t), centre[1] + radius * np.cos(t)], axis=1)


def degrees_off(normals, radial):
    radial = radial / np.hypot(*radial.T)[:, None]
    return np.degrees(np.arccos(np.clip((normals * radial).sum(1), -1, 1)))


def area(points):
    y, x = points.T
    return (np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2


def test_one_pixel():
    mask = np.zeros((3, 4), bool)
    mask[1, 2] = True
    (contour,) = boundary_contours(mask)
    np.testing.assert_array_equal(contour.points, [[1, 2]])
    (line,) = boundary_contours(mask, subpixel=True)
    np.testing.assert_array_equal(line.points, [[0.5, 2], [1, 2.5], [1.5, 2], [1, 1.5]])
    assert not line.hole


def test_outer_and_hole_of_a_frame():
    mask = np.zeros((9, 10), bool)
    mask[1:8, 1:9] = True
    mask[3:5, 4:6] = False
    outer, hole = boundary_contours(mask)
    assert not outer.hole
    assert hole.hole
    assert len(outer.points) == 2 * (7 + 8) - 4
    assert set(map(tuple, outer.points)) == {
        (y, x) for y in range(1, 8) for x in range(1, 9) if y in (1, 7) or x in (1, 8)
    }
    assert len(hole.points) == 8 + 0  # the four-neighbours of a hole of 2 x 2
    assert np.abs(np.diff(outer.points, axis=0)).max() == 1


def test_all_valid_and_none_valid():
    assert boundary_contours(np.zeros((4, 4), bool)) == []
    (contour,) = boundary_contours(np.ones((4, 5), bool), subpixel=True)
    assert len(contour.points) == 18


def test_connectivity_joins_or_parts_diagonal_pixels():
    mask = np.eye(3, dtype=bool)
    assert len(boundary_contours(mask)) == 1
    assert len(boundary_contours(mask, connectivity=4)) == 3
    ring = ~np.eye(4, dtype=bool)
    assert sum(c.hole for c in boundary_contours(np.pad(ring, 1, constant_values=True), connectivity=8)) == 4
    assert sum(c.hole for c in boundary_contours(np.pad(ring, 1, constant_values=True), connectivity=4)) == 1


@given(hnp.arrays(bool, (9, 11)))
@settings(max_examples=60, deadline=None)
def test_contours_enclose_the_mask(mask):
    for connectivity, structure in ((4, None), (8, np.ones((3, 3)))):
        contours = boundary_contours(mask, subpixel=True, connectivity=connectivity)
        parts = ndimage.label(mask, structure)[1]
        assert sum(not c.hole for c in contours) == parts
        # every side between valid and invalid is on exactly one contour
        points = np.concatenate([c.points for c in contours]) if contours else np.zeros((0, 2))
        padded = np.pad(mask, 1).astype(int)
        assert len(points) == np.abs(np.diff(padded, axis=0)).sum() + np.abs(np.diff(padded, axis=1)).sum()
        assert len(np.unique(points, axis=0)) == len(points)
        # neighbours along the line touch
        for contour in contours:
            steps = contour.points - np.roll(contour.points, 1, axis=0)
            assert np.abs(steps).max() <= 1


def test_area_of_a_disc_and_its_hole():
    mask = disc(40) & ~disc(15)
    outer, hole = boundary_contours(mask, subpixel=True)
    assert area(outer.points) == pytest.approx(np.pi * 40**2, rel=0.01)
    assert area(hole.points) == pytest.approx(-np.pi * 15**2, rel=0.02)


def test_normals_and_curvature_of_a_circle():
    points = circle(30, 200, (5, 7))
    assert degrees_off(contour_normals(points), points - (5, 7)).max() < 1e-4
    np.testing.assert_allclose(contour_curvature(points), 1 / 30, rtol=1e-9)
    np.testing.assert_allclose(contour_curvature(points[::-1]), -1 / 30, rtol=1e-9)


@pytest.mark.parametrize("radius", [40, 47])
@pytest.mark.parametrize("subpixel", [False, True])
def test_normals_of_a_drawn_circle_are_radial_within_a_degree(radius, subpixel):
    (contour,) = boundary_contours(disc(radius), subpixel=subpixel)
    line = resample_contour(contour.points, round(2 * np.pi * radius))
    smooth = smooth_contour(line, 0.25 * radius)
    assert degrees_off(contour_normals(smooth), smooth - 50).max() < 1
    assert contour_curvature(smooth).mean() == pytest.approx(1 / radius, rel=0.1)


def test_normals_point_out_of_the_valid_area_in_holes_too():
    mask = disc(40) & ~disc(15)
    outer, hole = boundary_contours(mask, subpixel=True)
    for contour, sign in ((outer, 1), (hole, -1)):
        smooth = smooth_contour(contour.points, 4)
        normals = contour_normals(smooth)
        assert (sign * (normals * (smooth - 50)).sum(1) > 0).all()
        probe = np.rint(smooth + 3 * normals).astype(int)
        assert not mask[probe[:, 0], probe[:, 1]].any()


def test_smoothing_shrinks_a_circle_as_documented():
    points = circle(30, 188)
    radius = np.hypot(*smooth_contour(points, 6).T)
    np.testing.assert_allclose(radius, 30 * np.exp(-0.5 * (6 / 30) ** 2), rtol=1e-3)
    np.testing.assert_array_equal(smooth_contour(points, 0), points)
    np.testing.assert_allclose(
        smooth_contour(np.roll(points, 50, axis=0), 3), np.roll(smooth_contour(points, 3), 50, axis=0)
    )


def test_resampling_is_even_and_closed():
    square = np.array([[0, 0], [0, 4], [4, 4], [4, 0]])
    points = resample_contour(square, 16)
    np.testing.assert_allclose(np.hypot(*(points - np.roll(points, 1, axis=0)).T), 1)
    np.testing.assert_array_equal(points[0], [0, 0])
    np.testing.assert_array_equal(resample_contour(np.array([[2, 3]]), 3), [[2, 3]] * 3)


def test_coinciding_points_have_no_normal():
    points = np.array([[1.0, 1.0]] * 4)
    assert not contour_normals(points).any()
    assert not contour_curvature(points).any()


def test_smooth_mask_takes_rags_away_and_leaves_straight_outlines():
    mask = np.zeros((60, 80), bool)
    mask[:, :40] = True
    ragged = mask ^ (np.random.default_rng(0).random(mask.shape) < 0.03)
    assert (smooth_mask(ragged, 2) != mask).mean() < 0.01
    np.testing.assert_array_equal(smooth_mask(mask, 3), mask)
    np.testing.assert_array_equal(smooth_mask(ragged, 0), ragged)


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="mask"):
        boundary_contours(np.zeros((3, 3)))
    with pytest.raises(ValueError, match="connectivity"):
        boundary_contours(np.zeros((3, 3), bool), connectivity=6)
    with pytest.raises(ValueError, match="points"):
        contour_normals(np.zeros((2, 2)))
    with pytest.raises(ValueError, match="sigma"):
        smooth_contour(circle(3, 9), -1)
    with pytest.raises(ValueError, match="sigma"):
        smooth_mask(np.ones((3, 3), bool), np.nan)
    with pytest.raises(ValueError, match="points"):
        resample_contour(circle(3, 9), 0)
