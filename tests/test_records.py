"""Shapes and data types that docstrings state are those that the code makes, on pictures of every kind."""

import re
from collections.abc import Mapping

import numpy as np
import pytest

from dedupindex.features import rounded
from dedupindex.features.describe import Wholes, describe, describe_wholes
from dedupindex.features.keypoints import LocalFeatures, extract
from dedupindex.features.model import Model, load_model
from dedupindex.prepare import prepare
from dedupindex.prepare.batch import Batch, batches
from dedupindex.prepare.stages import STAGES
from dedupindex.records import Features, Frame, Keypoints, PreparedFrame
from dedupindex.verify.agreement import Overlay, overlay

from .features.golden_pictures import golden_pictures

_ENTRY = re.compile(r"^ {4}(\w+(?:, \w+)*) : (.*)$", re.MULTILINE)
_SHAPE = re.compile(r"\(([^()]*)\)")
_TYPES = ("uint8", "int8", "float32", "float64", "bool")
PICTURES = {name: (frames, settings) for name, frames, settings in golden_pictures()}


def stated(kind: type) -> Mapping[str, str]:
    """What the docstring of a record says of each of its arrays."""
    says = {name: text for names, text in _ENTRY.findall(kind.__doc__) for name in names.split(", ")}
    arrays = [name for name, type in kind.__annotations__.items() if re.search(r"Array|Mask", str(type))]
    assert arrays
    missing = [name for name in arrays if not _SHAPE.search(says.get(name, ""))]
    assert not missing, f"{kind.__name__} does not state the shape of {missing}"
    return {name: says[name] for name in arrays}


def fits(array: np.ndarray, text: str, sides: dict[str, int]) -> bool:
    """Whether an array is of one of the shapes that *text* gives and of its type; *sides* are letters already met."""
    named = [kind for kind in _TYPES if re.search(rf"\b{kind}\b", text)]
    if named and array.dtype.name not in named:
        return False
    for shape in _SHAPE.findall(text):
        lengths = [side.strip() for side in shape.split(",") if side.strip()]
        if len(lengths) != array.ndim:
            continue
        met = dict(sides)
        for length, actual in zip(lengths, array.shape, strict=True):
            allowed = [int(word) for word in length.split(" or ")] if length[0].isdigit() else []
            if length.isupper() and "_" in length:  # a constant, checked by its own tests
                continue
            if actual not in (allowed or [met.setdefault(length, actual)]):
                break
        else:
            sides.update(met)
            return True
    return False


def check(record: object) -> None:
    kind, sides = type(record), {}
    for name, text in stated(kind).items():
        value = getattr(record, name)
        if value is None:
            assert "None" in text, f"{kind.__name__}.{name} is None, which the docstring does not say"
            continue
        for array in value if isinstance(value, list) else [value]:
            where = f"{kind.__name__}.{name} is {array.dtype} {array.shape}, its docstring says {text!r} with {sides}"
            assert fits(array, text, sides if not isinstance(value, list) else dict(sides)), where


@pytest.mark.parametrize("name", PICTURES)
def test_records_are_of_the_shapes_that_their_docstrings_state(name):
    frames, settings = PICTURES[name]
    for frame in frames:
        prepared = prepare(frame, settings)
        features = describe(prepared, settings)
        for record in (frame, prepared, features, features.keypoints, rounded(features), rounded(features).keypoints):
            check(record)
        assert prepared.mask.shape == prepared.luminance.shape
        check(describe_wholes([prepared]))
        check(overlay(features, features, np.eye(2, 3)))
        check(extract(features.thumbnail, features.mask))
    for batch in batches(frames, settings, settings.working_side):
        for stage in STAGES:
            batch = stage.run(batch)
        check(batch)


def test_the_model_too():
    check(load_model())


def test_every_record_of_arrays_is_looked_at():
    for kind in (Frame, PreparedFrame, Features, Keypoints, Wholes, LocalFeatures, Model, Overlay, Batch):
        if kind is not Frame:
            assert stated(kind)


@pytest.mark.parametrize(
    ("array", "text", "good"),
    [
        (np.zeros((23, 12), np.float32), "(16, 32) float32", False),
        (np.zeros((23, 12), np.float32), "(23, 12) float32", True),
        (np.zeros((23, 12), np.float64), "(23, 12) float32", False),
        (np.zeros((5, 6, 3)), "(H, W) or (H, W, 3) array", True),
        (np.zeros((5, 6, 4)), "(H, W) or (H, W, 3) array", False),
        (np.zeros((7, 6), bool), "(H, W) bool", False),
        (np.zeros((5, 1), np.uint8), "(H, 1 or 3) uint8", True),
    ],
)
def test_what_does_not_fit_is_noticed(array, text, good):
    assert fits(array, text, {"H": 5}) == good
