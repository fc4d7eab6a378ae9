"""Fit the limits of the proof: ``python -m tests.tools.fit_proof PHOTOS --pairs 300``.

Makes pairs of a folder's photographs (or of scikit-image's own, where no folder is given): copies by several ways,
edits of small places, frames in which something moved, and forms with other rows. Each pair is proven; the limits are
put between what copies and what others reach, and written with their manifest to ``dedupindex/fitted``.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

from dedupindex.records import Frame
from dedupindex.records.proofs import Proof
from dedupindex.search.proof_reading import proof_picture_from_frame
from dedupindex.settings import Settings
from dedupindex.verify.proof.comparison import prove
from dedupindex.verify.proof.picture import ProofPicture
from dedupindex.verify.proof.thresholds import THRESHOLDS, Thresholds
from tests.tools.manifest import (
    COMMANDS,
    SHIPPED,
    Manifest,
    file_digest,
    libraries,
    seen_versions,
    write_manifest,
)

SIDE = 900  # longest side of the photographs, pixels
COPIES = (
    *("jpeg", "resize", "tone", "grey", "crop", "rescan"),
    *("palette", "sharpened", "posterised", "hue", "speckle", "clipped", "noise", "blur"),
)
EDITS = "patch", "erased", "cloned", "recoloured", "caption"
OTHERS = "moved", "form"
VISIBLE = 6.0  # levels: mean difference within an edited place from which a person is expected to see it
WORDS = ("ash", "birch", "clover", "dune", "elm", "fern", "gorse", "heath", "iris", "juniper", "kelp", "larch", "moss")


def main() -> None:
    """Read the options, make and prove the pairs, write the limits and the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path, nargs="?", help="folder; without it, scikit-image's pictures")
    parser.add_argument("--output", type=Path, default=SHIPPED["proof"])
    parser.add_argument("--pairs", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    photographs, digest = load(options.photos, options.pairs, options.seed)
    rng = np.random.default_rng(options.seed)
    proofs: dict[str, list[Proof]] = {}
    kinds = (*COPIES, *EDITS, *OTHERS)
    for number in range(options.pairs):
        kind = kinds[number % len(kinds)]
        pair = make(kind, photographs, rng)
        if pair is not None:
            proofs.setdefault(kind, []).append(prove(*pair))
    fitted = fit(proofs)
    options.output.write_text(json.dumps(asdict(fitted), indent=1) + "\n")
    reached = figures(proofs, fitted)
    source = "photographs" if options.photos else "pictures of scikit-image"
    write_manifest(
        options.output,
        Manifest(
            sha256=file_digest(options.output),
            command=f"{COMMANDS['proof']} --pairs {options.pairs} --seed {options.seed}",
            data={source: {"files": len(photographs), "sha256_of_their_bytes": digest}},
            seed=options.seed,
            versions=seen_versions("proof"),
            figures={"pairs": options.pairs, **reached},
            libraries=libraries(),
        ),
    )
    print(json.dumps(asdict(fitted) | {"figures": reached}, indent=1))


def load(folder: Path | None, pairs: int, seed: int) -> tuple[list[Image.Image], str]:
    """Photographs at a common size, and the digest of all that was read."""
    digest = hashlib.sha256()
    images = []
    if folder is None:
        from skimage import data

        for name in ("astronaut", "chelsea", "coffee", "rocket"):
            pixels = getattr(data, name)()
            digest.update(pixels.tobytes())
            images.append(Image.fromarray(pixels).convert("RGB"))
    else:
        files = sorted(path for path in folder.iterdir() if path.is_file())
        for index in np.random.default_rng(seed).permutation(len(files))[: max(4, pairs // 3)]:
            content = files[index].read_bytes()
            digest.update(content)
            images.append(ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGB"))
    scaled = []
    for image in images:
        factor = SIDE / max(image.size)
        size = round(image.width * factor), round(image.height * factor)
        scaled.append(image.resize(size, Image.Resampling.BICUBIC))
    return scaled, digest.hexdigest()


def make(
    kind: str, photographs: list[Image.Image], rng: np.random.Generator
) -> tuple[ProofPicture, ProofPicture, np.ndarray] | None:
    """A pair of a kind with a registration that is good to about a pixel of a thumbnail; None = an edit nobody sees."""
    image = photographs[rng.integers(len(photographs))]
    other = photographs[rng.integers(len(photographs))]
    matrix = np.eye(2, 3)
    if kind == "form":
        labels = [" ".join(rng.choice(WORDS, 2)) for _ in range(12)]
        image, changed = form(labels, rng), form(labels, rng)
    elif kind == "moved":
        image, changed = moved(image, other, rng)
    elif kind in EDITS:
        changed, place = edited(kind, image, other, rng)
        away = np.abs(np.asarray(changed, np.float32) - np.asarray(image, np.float32)).mean(2)
        if float(away[place].mean()) < VISIBLE:
            return None
    else:
        changed, matrix = copied(kind, image, rng)
    quality = [int(q) for q in rng.choice([60, 75, 85, 92], 2)]
    reach = max(image.size) / 128
    shaken = matrix.copy()
    shaken[:, 2] += rng.uniform(-0.7, 0.7, 2) * reach
    # a palette is lost in a JPEG
    other_picture = as_decoded(np.asarray(changed)) if kind == "palette" else encoded(changed, quality[1])
    return encoded(image, quality[0]), other_picture, shaken


def encoded(image: Image.Image, quality: int) -> ProofPicture:
    """A picture after a JPEG, as the proof sees it."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    opened = Image.open(buffer)
    tables = tuple(tuple(opened.quantization[k]) for k in sorted(opened.quantization))  # type: ignore[attr-defined]
    return as_decoded(np.asarray(opened), tables)


def as_decoded(pixels: np.ndarray, tables: tuple[tuple[int, ...], ...] = ()) -> ProofPicture:
    """Pixels as the proof sees them."""
    frame = Frame(pixels, np.ones(pixels.shape[:2], bool), 0, pixels.shape[:2])
    return proof_picture_from_frame(frame, Settings(), quantisation=tables)


def copied(kind: str, image: Image.Image, rng: np.random.Generator) -> tuple[Image.Image, np.ndarray]:
    """A copy, and the map of its pixel indices to those of the image."""
    if kind == "resize":
        factor = rng.uniform(0.4, 0.9)
        made = image.resize((round(image.width * factor), round(image.height * factor)), Image.Resampling.LANCZOS)
        x, y = image.width / made.width, image.height / made.height
        return made, np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2]])
    if kind == "tone":
        made = ImageEnhance.Brightness(image).enhance(rng.uniform(0.75, 1.25))
        return ImageEnhance.Contrast(made).enhance(rng.uniform(0.75, 1.25)), np.eye(2, 3)
    if kind == "grey":
        return image.convert("L").convert("RGB"), np.eye(2, 3)
    if kind == "crop":
        left, top = (int(rng.integers(0, side // 12)) for side in image.size)
        made = image.crop((left, top, image.width - left // 2, image.height - top // 2))
        return made, np.array([[1, 0, left], [0, 1, top]], float)
    if kind == "rescan":
        turned = image.rotate(rng.uniform(-0.8, 0.8), Image.Resampling.BICUBIC, fillcolor="white")
        soft = np.asarray(turned.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 0.9))), np.float32)
        noisy = soft * rng.uniform(0.94, 1) + rng.normal(0, rng.uniform(2, 5), soft.shape)
        return Image.fromarray(noisy.clip(0, 255).astype(np.uint8)), np.eye(2, 3)
    return altered(kind, image, rng), np.eye(2, 3)


def altered(kind: str, image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A copy whose pixels stay where they are."""
    pixels = np.asarray(image, np.float32)
    if kind == "palette":
        return image.quantize(int(rng.choice([32, 64, 128, 256]))).convert("RGB")
    if kind == "sharpened":
        return image.filter(ImageFilter.UnsharpMask(rng.uniform(1, 3.5), int(rng.uniform(80, 300)), 2))
    if kind == "posterised":
        return ImageOps.posterize(image, int(rng.choice([2, 3, 4])))
    if kind == "hue":
        hue, *others = image.convert("HSV").split()
        step = int(rng.choice([-1, 1])) * int(rng.uniform(10, 45))
        return Image.merge("HSV", [hue.point([(v + step) % 256 for v in range(256)]), *others]).convert("RGB")
    if kind == "speckle":
        looks = rng.uniform(4, 14)
        grey = np.asarray(image.convert("L"), np.float32)
        pixels = np.repeat((grey * rng.gamma(looks, 1 / looks, grey.shape))[..., None], 3, axis=2)
    elif kind == "clipped":
        return ImageEnhance.Brightness(image).enhance(rng.uniform(1.3, 1.7))
    elif kind == "noise":
        pixels = pixels + rng.normal(0, rng.uniform(8, 28), pixels.shape)
    elif kind == "blur":
        return image.filter(ImageFilter.GaussianBlur(rng.uniform(1, 5)))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def edited(
    kind: str, image: Image.Image, other: Image.Image, rng: np.random.Generator
) -> tuple[Image.Image, tuple[slice, slice]]:
    """A picture with one place changed, and the place."""
    area = 10 ** rng.uniform(-3, -1.6) * image.width * image.height
    width = int(np.clip(np.sqrt(area) * rng.uniform(0.7, 1.4), 8, image.width // 2))
    height = int(np.clip(area / width, 8, image.height // 2))
    left, top = int(rng.integers(0, image.width - width)), int(rng.integers(0, image.height - height))
    made = image.copy()
    part = image.crop((left, top, left + width, top + height))
    if kind == "patch":
        made.paste(ImageOps.fit(other, (width, height)), (left, top))
    elif kind == "erased":
        smooth = part.resize((2, 2), Image.Resampling.BOX).resize((width, height), Image.Resampling.BICUBIC)
        made.paste(smooth, (left, top))
    elif kind == "cloned":
        x, y = int(rng.integers(0, image.width - width)), int(rng.integers(0, image.height - height))
        made.paste(image.crop((x, y, x + width, y + height)), (left, top))
    elif kind == "recoloured":
        made.paste(Image.fromarray(np.ascontiguousarray(np.asarray(part)[..., [2, 0, 1]])), (left, top))
    else:
        font = ImageFont.load_default(max(14, round(image.height * rng.uniform(0.03, 0.06))))
        text = " ".join(rng.choice(WORDS, 2))
        _, _, width, height = (int(v) for v in font.getbbox(text))
        left, top = int(rng.integers(0, max(1, image.width - width))), int(rng.integers(0, image.height - 2 * height))
        ImageDraw.Draw(made).text((left, top), text, str(rng.choice(["white", "yellow", "black"])), font=font)
    return made, (slice(top, top + height), slice(left, left + width))


def moved(image: Image.Image, other: Image.Image, rng: np.random.Generator) -> tuple[Image.Image, Image.Image]:
    """Two shots of a scene: something in front has moved, the noise is new."""
    thing = ImageOps.fit(other, (image.width // 5, image.height // 4))
    left, top = int(rng.integers(60, image.width // 2)), int(rng.integers(60, image.height // 2))
    frames = []
    for step in (0, int(rng.integers(10, 50))):
        frame = image.copy()
        frame.paste(thing, (left + step, top + step // 3))
        noisy = np.asarray(frame, np.float32) + rng.normal(0, rng.uniform(1, 3), (image.height, image.width, 3))
        frames.append(Image.fromarray(noisy.clip(0, 255).astype(np.uint8)))
    return frames[0], frames[1]


def form(labels: list[str], rng: np.random.Generator) -> Image.Image:
    """A page of labels, each with a text of its own."""
    page = Image.new("RGB", (700, 900), "white")
    draw = ImageDraw.Draw(page)
    for number, label in enumerate(labels):
        y = 40 + 68 * number
        draw.text((40, y), label, (80, 80, 80), font=ImageFont.load_default(18))
        draw.rectangle((40, y + 24, 660, y + 56), outline=(120, 120, 120))
        draw.text(
            (50, y + 28), " ".join(rng.choice(WORDS, rng.integers(1, 5))), "black", font=ImageFont.load_default(20)
        )
    return page


def fit(found: dict[str, list[Proof]]) -> Thresholds:
    """Put the limits between copies and others; the rest stays as it is."""
    copies = [proof for kind in COPIES for proof in found.get(kind, ())]
    edits = [proof for kind in EDITS for proof in found.get(kind, ())]
    # an edit taken for a copy costs more than a copy that is not proven: some of the hardest copies are given up
    weights = np.quantile(values(copies, "weight"), 0.95), np.quantile(values(edits, "weight"), 0.01)
    high = float(np.clip(np.sqrt(max(weights[0], 4.0) * max(weights[1], 4.0)), 8.0, 11.0))
    agreement = float(np.clip(np.quantile(values(copies, "agreement"), 0.005) - 0.1, 0.6, 0.85))
    displaced = float(np.clip(1.7 * np.quantile(values(copies, "displaced"), 0.99), 0.4, 0.55))
    return replace(THRESHOLDS, high=round(high, 1), agreement=round(agreement, 2), displaced=round(displaced, 2))


def values(proofs: list[Proof], name: str) -> np.ndarray:
    """One measure of many proofs; 0 where there is none."""
    return np.array([getattr(proof.measures, name) or 0.0 for proof in proofs])


def figures(found: dict[str, list[Proof]], fitted: Thresholds) -> dict[str, dict[str, object]]:
    """What copies and others reach, by kind."""
    report: dict[str, dict[str, object]] = {}
    for kind, proofs in found.items():
        weight = values(proofs, "weight")
        held = (weight <= fitted.high) & (values(proofs, "agreement") >= fitted.agreement)
        held &= values(proofs, "displaced") <= fitted.displaced
        report[kind] = {
            "pairs": len(proofs),
            "same": int(held.sum()),
            "weight": [round(float(q), 2) for q in np.quantile(weight, (0.01, 0.5, 0.99))],
            "least agreement": round(float(values(proofs, "agreement").min()), 3),
            "most displaced": round(float(values(proofs, "displaced").max()), 3),
        }
    return report


if __name__ == "__main__":
    main()
