"""A tiny training run gives a model whose symmetries are right."""

import numpy as np
import pytest

from dedupindex.evaluation.attacks import attack
from dedupindex.features.descriptor import DESCRIPTOR_DIMENSIONS, fuse, normalise_rows, vlad
from dedupindex.features.model import CODE_SCALE, VLAD_DIMENSIONS, encode_codes, parse_model, save_model
from dedupindex.features.symmetry import identity, mirror_sift
from tests.scenes import PHOTOGRAPHS, photograph
from tests.tools import train_descriptor as training


def pieces() -> list[np.ndarray]:
    """48 windows of photographs."""
    random = np.random.default_rng(0)
    found = []
    for name in PHOTOGRAPHS:
        picture = photograph(name)
        for _ in range(6):
            top, left = random.integers(0, picture.shape[0] - 160), random.integers(0, picture.shape[1] - 200)
            found.append(np.ascontiguousarray(picture[top : top + 160, left : left + 200]))
    return found


@pytest.fixture(scope="module", autouse=True)
def few_words():
    """Eight words make a PCA of a thousand numbers, sixty-four one of four thousand."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "WORDS", 8)
        yield


@pytest.fixture(scope="module")
def parts(few_words):
    return [training.raw_parts(picture) for picture in pieces()]


@pytest.fixture(scope="module")
def pictures(parts):
    """Each window and two copies of it: darker, and a little blurred."""
    return [
        [own, *(training.raw_parts(attack(name, picture, 1.0, np.random.default_rng(0))) for name in ("tone", "blur"))]
        for own, picture in zip(parts, pieces(), strict=True)
    ]


@pytest.fixture(scope="module")
def model(pictures, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.npz"
    save_model(path, training.train(pictures, 0))
    return parse_model(path.read_bytes())


def test_shapes_and_digest(model):
    assert model.local_basis.shape == (128, training.CODE_DIMENSIONS)
    assert model.words.shape == (training.WORDS, VLAD_DIMENSIONS)
    assert model.projection.shape == (len(model.mean), DESCRIPTOR_DIMENSIONS)
    assert len(model.digest) == 16
    for values in (model.local_mean, model.local_basis, model.words, model.mean, model.projection):
        assert np.isfinite(values).all()


def test_the_same_pictures_and_seed_give_the_same_model(pictures, model, tmp_path):
    save_model(tmp_path / "again.npz", training.train(pictures, 0))
    again = parse_model((tmp_path / "again.npz").read_bytes())
    np.testing.assert_array_equal(again.projection, model.projection)
    np.testing.assert_array_equal(again.words, model.words)


def test_codes_and_words_are_even_or_odd(model):
    order = mirror_sift()
    np.testing.assert_allclose(model.local_basis[order], model.local_basis * model.local_parity, atol=2e-3)
    half = training.WORDS // 2
    mirrored = model.words[:half] * model.local_parity[:VLAD_DIMENSIONS]
    np.testing.assert_allclose(model.words[half:], mirrored, atol=2e-3)


def embedded(model, global_part, descriptors):
    codes = encode_codes((descriptors - model.local_mean) @ model.local_basis)
    fused = fuse(global_part[None], vlad(codes, model.words)[None])
    return normalise_rows((fused - model.mean) @ model.projection)[0]


def test_the_mirror_matrix_mirrors(model, parts):
    for picture, (global_part, descriptors) in list(zip(pieces(), parts, strict=True))[::5]:
        plain = embedded(model, global_part, descriptors)
        # the mirrored picture's global part, and exactly mirrored keypoints: no detector in between
        mirrored_part, _ = training.raw_parts(np.ascontiguousarray(picture[:, ::-1]))
        mirrored = embedded(model, mirrored_part, descriptors[:, mirror_sift()])
        guess = normalise_rows(plain[None] @ model.mirror)[0]
        assert guess @ mirrored > 0.9  # a PCA of 48 pictures bends a little
        assert guess @ mirrored > plain @ mirrored


def test_matrices_are_their_own_inverse(model, parts):
    vectors = np.stack([embedded(model, *part) for part in parts])
    for action, least in ((model.mirror, 0.9), (model.transpose, 0.9)):
        assert (normalise_rows(vectors @ action @ action) * vectors).sum(1).min() > least


def test_axes_that_differ_between_copies_are_left_out():
    random = np.random.default_rng(0)
    numbers = np.repeat(np.arange(4000), 3)
    signal = np.repeat(random.normal(size=(4000, 384)), 3, axis=0)  # of the picture, in its first 384 numbers
    noise = random.normal(size=(12_000, 100))  # of the copy, in all others
    vectors = np.concatenate([signal + 0.01 * random.normal(size=signal.shape), noise], axis=1).astype(np.float32)
    mean, projection = training.symmetric_discriminant(vectors, numbers, [identity(484)])
    assert mean.shape == (484,)
    shown = normalise_rows((vectors - mean) @ projection)
    assert (shown[::3] * shown[1::3]).sum(1).min() > 0.98
    bare = normalise_rows(vectors - mean)
    assert np.median((bare[::3] * bare[1::3]).sum(1)) < 0.9


def test_copies_are_nearest_to_their_own_picture(model, pictures):
    assert training.copies_found(pictures, model) > 0.95
    strangers = [[own[0], *other[1:]] for own, other in zip(pictures, pictures[1:] + pictures[:1], strict=True)]
    assert training.copies_found(strangers, model) < 0.05


def test_the_local_pca_is_orthonormal_and_sorted(parts):
    sample = np.concatenate([descriptors for _, descriptors in parts])
    mean, basis, parity = training.local_pca(sample)
    np.testing.assert_allclose(basis.T @ basis, np.eye(basis.shape[1]), atol=1e-4)
    assert set(parity.tolist()) == {1.0, -1.0}
    both = np.concatenate([sample, sample[:, mirror_sift()]]) - mean
    spread = (both @ basis).var(0)
    assert (np.diff(spread) <= 1e-6).all()
    assert np.abs(encode_codes((sample - mean) @ basis)).max() <= 127
    assert CODE_SCALE * np.abs((sample - mean) @ basis).max() < 200


@pytest.mark.slow
def test_training_from_a_folder(tmp_path):
    from PIL import Image

    for number, picture in enumerate(pieces()):
        Image.fromarray(picture).save(tmp_path / f"{number}.png")
    (tmp_path / "notes.txt").write_text("no picture")
    found = list(training.gather(tmp_path, 1, 0))
    assert [len(versions) for versions in found] == [2] * len(pieces())
