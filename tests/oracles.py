"""Slow, obvious versions of what the package does fast."""

import numpy as np


def area_average(picture, mask, shape):
    """Masked area averaging, one target pixel and one source pixel at a time: (values, share)."""
    height, width = picture.shape
    values, share = np.zeros(shape), np.zeros(shape)
    for row in range(shape[0]):
        for column in range(shape[1]):
            top, bottom = row * height / shape[0], (row + 1) * height / shape[0]
            left, right = column * width / shape[1], (column + 1) * width / shape[1]
            total = weight = area = 0.0
            for y in range(height):
                for x in range(width):
                    covered = max(0.0, min(bottom, y + 1) - max(top, y)) * max(0.0, min(right, x + 1) - max(left, x))
                    area += covered
                    weight += covered * mask[y, x]
                    total += covered * mask[y, x] * picture[y, x]
            share[row, column] = weight / area
            values[row, column] = total / weight if weight > 1e-6 else 0.0
    return values, share


def correlation_map(a, b, mask_a, mask_b, min_overlap):
    """NCC over the common valid pixels of every shift: {(dy, dx): (score, common pixels)}; small overlaps left out."""
    found = {}
    smallest = max(min_overlap * min(mask_a.sum(), mask_b.sum()), 2)
    for dy in range(-(b.shape[0] - 1), a.shape[0]):
        for dx in range(-(b.shape[1] - 1), a.shape[1]):
            first, second = [], []
            for y in range(b.shape[0]):
                for x in range(b.shape[1]):
                    inside = 0 <= y + dy < a.shape[0] and 0 <= x + dx < a.shape[1]
                    if inside and mask_b[y, x] and mask_a[y + dy, x + dx]:
                        first.append(a[y + dy, x + dx])
                        second.append(b[y, x])
            if len(first) < smallest:
                continue
            flat = np.ptp(first) < 1e-9 or np.ptp(second) < 1e-9
            found[dy, dx] = (0.0 if flat else float(np.corrcoef(first, second)[0, 1]), len(first))
    return found


def difference_map(a, b, mask_a, mask_b, min_overlap, *, squared):
    """Mean difference over the common valid pixels of every shift: {(dy, dx): (mean, common pixels)}."""
    found = {}
    smallest = max(min_overlap * min(mask_a.sum(), mask_b.sum()), 1)
    for dy in range(-(b.shape[0] - 1), a.shape[0]):
        for dx in range(-(b.shape[1] - 1), a.shape[1]):
            total = common = 0
            for y in range(b.shape[0]):
                for x in range(b.shape[1]):
                    inside = 0 <= y + dy < a.shape[0] and 0 <= x + dx < a.shape[1]
                    if inside and mask_b[y, x] and mask_a[y + dy, x + dx]:
                        difference = abs(float(a[y + dy, x + dx]) - float(b[y, x]))
                        total += difference**2 if squared else difference
                        common += 1
            if common >= smallest:
                found[dy, dx] = (total / common, common)
    return found


def block_vector(a, b, mask_a, mask_b, top, left, block, reach):
    """The vector of least SAD of one block of b within a reach, half of it valid in both; None if there is none."""
    best = None
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            differences = [
                abs(float(a[y + dy, x + dx]) - float(b[y, x]))
                for y in range(top, top + block)
                for x in range(left, left + block)
                if 0 <= y + dy < a.shape[0] and 0 <= x + dx < a.shape[1] and mask_b[y, x] and mask_a[y + dy, x + dx]
            ]
            if len(differences) >= block * block / 2:
                mean = sum(differences) / len(differences)
                if best is None or mean < best[0] - 1e-9:
                    best = (mean, (dy, dx))
    return None if best is None else best[1]
