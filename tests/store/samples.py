import hashlib

import numpy as np

from dedupindex.store.rows import NewImage


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def new_image(name: str, *, frame: int = 0, pixels: str | None = None, low: bool = False, frames: int = 1) -> NewImage:
    """A made-up image whose content is its name."""
    rng = np.random.default_rng(list(name.encode()))
    return NewImage(
        sha256=digest(name),
        frame=frame,
        format="PNG",
        width=40,
        height=30,
        bits=8,
        channels=3,
        valid_share=1.0,
        low_information=low,
        scaling="dtype 0..255",
        lossless=True,
        metadata_count=0,
        frame_count=frames,
        pixel_sha256=digest(pixels or f"{name} {frame}"),
        features={"descriptor": rng.integers(-127, 128, 8, dtype=np.int8).tobytes(), "hashes": name.encode()},
    )
