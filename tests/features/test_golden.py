"""The features of some small pictures, as they were when their versions were last raised.

This test fails when a feature, a prepare stage or the decoder's output changes. If that was not meant, undo it. If it
was, raise the version of what changed (`dedupindex/versions.py`), so
that databases with old features are refused with the command that mends them, and store the new values:

    python -m tests.features.test_golden

That command refuses to store other values under the same versions.

What is compared are the packed features, as they stand in the database; of thumbnails every other row and column.
Pictures are made by integer arithmetic, but OpenCV, NumPy and BLAS round floats in another order on other processors:
packed numbers may differ by a step or two here and there, and keypoints may come and go at their threshold. The frame
(box, shape, pixel digest, low information) must be the same to the byte, the rest within `TOLERANCE`, below what a
change of method makes. (Seen: without AVX and FMA all is the same but for the spectrum of a constant, which is nothing
but rounding and is left out.)
"""

import base64
import json
import sys
import tempfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from skimage import data

from dedupindex import versions as all_of
from dedupindex.features import describe_stack, pack, unpack
from dedupindex.features.packing import keypoint_table
from dedupindex.prepare import prepare_stack
from dedupindex.prepare.stages import STAGES
from dedupindex.records import Features, Frame
from dedupindex.settings import Settings
from dedupindex.sources import decode
from dedupindex.versions import FIRST_PREPARED, stage_versions, versions

from .golden_pictures import PLAIN, colours, golden_pictures, holes, waves

STORED = Path(__file__).parent / "golden.json"
# Feature: largest difference of a number, largest mean difference; in the units of `numbers`.
TOLERANCE = {"thumbnail": (2, 0.02), "colour": (1, 0.02), "histogram": (300, 8.0), "spectrum": (40, 0.4),
             "descriptor": (4, 0.25)}  # fmt: skip
POINTS_APART = 0.05  # share of keypoints that may differ
CODE_SUMS = 40  # of the ranked sums of a keypoint's codes, each -127..127
HASH_BITS = 2  # of 64, for a coefficient at the threshold
SHIPPED = ("astronaut", "chelsea", "camera", "page")


def pictures():
    yield from golden_pictures()
    yield from decoded()
    for name in SHIPPED:
        pixels = getattr(data, name)()[::2, ::2]
        yield f"scikit-image's {name}", [Frame(pixels, np.ones(pixels.shape[:2], bool))], PLAIN


def decoded():
    """Files of lossless formats, read again."""
    grey, colour = waves(60, 80, 7), colours(60, 80, 8).astype(np.uint8)
    alpha = np.where(holes(60, 80), 255, 0).astype(np.uint8)
    filled = (grey * 200 + 3_000).astype(np.uint16)
    filled[10:40, 20:55] = 0
    files = {
        "filled.png": lambda path: Image.fromarray(filled).save(path),
        "rgba.png": lambda path: Image.fromarray(np.dstack([colour, alpha])).save(path),
        "palette.png": lambda path: Image.fromarray((grey // 16).astype(np.uint8)).convert("P").save(path),
        "sixteen.png": lambda path: Image.fromarray((grey * 257).astype(np.uint16)).save(path),
        "float.tif": lambda path: tifffile.imwrite(path, np.where(holes(60, 80), grey, np.nan).astype(np.float32)),
        "stack.npy": lambda path: np.save(path, np.stack([waves(60, 80, k) for k in range(2)]).astype(np.int32)),
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, write in files.items():
            write(Path(folder) / name)
            yield f"decoded {name}", list(decode.decode_file(Path(folder) / name, PLAIN).frames), PLAIN


def numbers(features: Features) -> dict[str, np.ndarray]:
    """The features that are arrays, in whole steps of what is stored."""
    return {
        "thumbnail": np.concatenate(
            [features.thumbnail[::2, ::2].ravel(), features.mask[::2, ::2].ravel() * np.uint8(255)]
        ),
        "colour": features.colour.ravel(),
        "histogram": np.rint(features.histogram.ravel() * 65535).astype(np.uint16),
        "spectrum": np.rint(features.spectrum.ravel() * 512).astype(np.int16),
        "descriptor": features.descriptor,
    }


def points(features: Features) -> set[tuple[int, ...]]:
    """Keypoints, to 1/512 of the longest side."""
    return {tuple(place) for place in np.rint(features.keypoints.position * 512).astype(int).tolist()}


def made() -> dict[str, dict]:
    """What is stored of every frame."""
    result = {}
    for name, frames, settings in pictures():
        prepared = prepare_stack(frames, settings)
        for number, features in enumerate(describe_stack(prepared, settings)):
            packed = pack(features)
            same = unpack(packed)
            entry = {
                "frame": packed["frame"].hex(),
                "low_information": same.low_information,
                "scaling": prepared[number].scaling,
                "hashes": {key: value.hex() for key, value in same.hashes.items()},
                "points": sorted(points(same)),
                "codes": np.sort(keypoint_table(packed["keypoints"])[0].astype(int).sum(1)).tolist()[::16],
            }
            entry |= {key: squeezed(array) for key, array in numbers(same).items()}
            result[f"{name}, {number}" if len(frames) > 1 else name] = entry
    return result


def squeezed(array: np.ndarray) -> dict[str, str]:
    little = array.astype(array.dtype.newbyteorder("<"))
    return {"dtype": little.dtype.str, "data": base64.b85encode(zlib.compress(little.tobytes(), 9)).decode()}


def unsqueezed(stored: dict[str, str]) -> np.ndarray:
    return np.frombuffer(zlib.decompress(base64.b85decode(stored["data"])), stored["dtype"])


def all_versions() -> dict[str, str]:
    """Of every feature, of decoding and of the prepare stages."""
    return {**versions(Settings()), "prepared": f"decoding:{all_of.DECODING} {stage_versions()}"}


def differences(stored: dict, now: dict) -> list[str]:
    """Which features of one frame are not what was stored."""
    differing = [name for name in ("frame", "scaling") if stored[name] != now[name]]
    for name, (largest, mean) in TOLERANCE.items():
        if name == "spectrum" and now["low_information"]:
            continue
        old, new = unsqueezed(stored[name]).astype(float), unsqueezed(now[name]).astype(float)
        away = np.abs(old - new) if old.shape == new.shape else np.array([np.inf])
        if away.max(initial=0) > largest or (away.size and away.mean() > mean):
            differing.append(name)
    old_hashes, new_hashes = stored["hashes"], now["hashes"]
    apart = [(int(old_hashes.get(key, "0"), 16) ^ int(new_hashes[key], 16)).bit_count() for key in new_hashes]
    if old_hashes.keys() != new_hashes.keys() or max(apart, default=0) > HASH_BITS:
        differing.append("hashes")
    old_points, new_points = ({tuple(place) for place in entry["points"]} for entry in (stored, now))
    if len(old_points ^ new_points) > POINTS_APART * max(len(old_points), 20):
        differing.append("keypoints")
    elif old_points == new_points:
        sums = np.abs(np.subtract(stored["codes"], now["codes"]))
        if sums.max(initial=0) > CODE_SUMS:
            differing.append("keypoints")
    return differing


@pytest.fixture(scope="module")
def stored():
    return json.loads(STORED.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def now():
    return made()


def test_features_change_only_with_their_version(stored, now):
    assert stored["frames"].keys() == now.keys()
    changed = {name: differences(stored["frames"][name], now[name]) for name in now}
    changed = {name: features for name, features in changed.items() if features}
    assert not changed, f"raise the version of what changed, then run python -m tests.features.test_golden: {changed}"


def test_the_stored_values_are_those_of_these_versions(stored):
    assert stored["versions"] == all_versions(), "run python -m tests.features.test_golden"


def test_the_comparison_notices_small_changes(now):
    entry = now["8-bit colour"]
    for name in TOLERANCE:
        array = unsqueezed(entry[name]).copy()
        other = {**entry, name: squeezed(np.roll(array, 1))}
        assert differences(entry, other) == [name]
    assert differences(entry, {**entry, "frame": "00"}) == ["frame"]
    assert differences(entry, {**entry, "points": entry["points"][::2]}) == ["keypoints"]
    flipped = {key: f"{int(value, 16) ^ 0xFF:016x}" for key, value in entry["hashes"].items()}
    assert differences(entry, {**entry, "hashes": flipped}) == ["hashes"]
    assert differences(entry, entry) == []


def test_first_versions_leave_the_fingerprint_as_it_was(monkeypatch):
    settings = Settings()
    own = settings.fingerprint(versions(settings))
    if f"decoding:{all_of.DECODING} {stage_versions()}" == FIRST_PREPARED:
        assert "prepared" not in versions(settings)
    monkeypatch.setattr(all_of, "DECODING", all_of.DECODING + "x")
    assert settings.fingerprint(versions(settings)) != own


@pytest.mark.parametrize("change", ["raised", "added", "left out", "moved"])
def test_any_change_of_the_stages_changes_the_fingerprint(monkeypatch, change):
    settings = Settings()
    own = settings.fingerprint(versions(settings))
    first, second, *rest = all_of.STAGES.items()
    others = {
        "raised": [first, (second[0], second[1] + "x"), *rest],
        "added": [first, second, *rest, ("another", "1")],
        "left out": [second, *rest],
        "moved": [second, first, *rest],
    }
    monkeypatch.setattr(all_of, "STAGES", dict(others[change]))
    assert settings.fingerprint(versions(settings)) != own


def test_every_stage_has_a_version_in_the_same_order():
    assert [stage.name for stage in STAGES] == list(all_of.STAGES)


def store() -> int:
    """Store the features as they are now, unless they changed under the same versions."""
    frames, named = made(), all_versions()
    if STORED.exists() and "--anyway" not in sys.argv:
        before = json.loads(STORED.read_text(encoding="utf-8"))
        known = before["frames"].keys() & frames.keys()
        changed = sorted(name for name in known if differences(before["frames"][name], frames[name]))
        if changed and before["versions"] == named:
            print(f"{', '.join(changed)}: other features under the same versions; raise the version of what changed")
            return 1
    text = json.dumps({"versions": named, "frames": frames}, separators=(",", ":"))
    STORED.write_text(text.replace('},"', '},\n"') + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(store())
