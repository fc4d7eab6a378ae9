"""How much memory describing a large picture takes at most: ``python -m tests.reliability.peaks KIND FOLDER``.

Prints bytes a pixel, the file's own bytes included, above what a process has that described a small picture before.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import tifffile
from PIL import Image

from dedupindex.ingest.describing import FileTask, describe_files, file_state
from dedupindex.settings import Settings

SIDE = 3000  # pixels
SETTINGS = Settings(workers=1)


def samples(side: int = SIDE) -> np.ndarray:
    """Squares of 8 x 8 pixels, (H, W) float32 in 0..1."""
    coarse = np.random.default_rng(0).random((side // 8 + 1, side // 8 + 1))
    return np.kron(coarse, np.ones((8, 8)))[:side, :side].astype(np.float32)


def _colour(grey: np.ndarray) -> np.ndarray:
    return np.stack([grey, grey[::-1], grey[:, ::-1]], axis=-1)


def _bytes(grey: np.ndarray) -> np.ndarray:
    return (grey * 255).astype(np.uint8)


def _shorts(grey: np.ndarray) -> np.ndarray:
    return (grey * 65535).astype(np.uint16)


def _with_holes(grey: np.ndarray) -> np.ndarray:
    holed = grey.copy()
    holed[: len(grey) // 40] = np.nan
    return holed


def _fits(path: Path, grey: np.ndarray) -> None:
    from astropy.io import fits

    fits.PrimaryHDU(grey).writeto(path)


# kind -> most bytes a pixel, ending, what writes it
KINDS: dict[str, tuple[float, str, Callable[[Path, np.ndarray], object]]] = {
    "grey PNG": (4, "png", lambda path, grey: Image.fromarray(_bytes(grey)).save(path, compress_level=1)),
    "colour PNG": (13, "png", lambda path, grey: Image.fromarray(_colour(_bytes(grey))).save(path, compress_level=1)),
    "16-bit PNG": (11, "png", lambda path, grey: Image.fromarray(_shorts(grey)).save(path, compress_level=1)),
    "16-bit colour PNG": (24, "png", lambda path, grey: cv2.imwrite(str(path), _colour(_shorts(grey)))),
    "palette GIF": (15, "gif", lambda path, grey: Image.fromarray(_colour(_bytes(grey))).convert("P").save(path)),
    "JPEG": (2, "jpg", lambda path, grey: Image.fromarray(_colour(_bytes(grey))).save(path, quality=80)),
    "WebP": (22, "webp", lambda path, grey: Image.fromarray(_colour(_bytes(grey))).save(path, method=0)),
    "JPEG 2000": (24, "jp2", lambda path, grey: Image.fromarray(_colour(_bytes(grey))).save(path)),
    "float TIFF": (12.5, "tif", lambda path, grey: tifffile.imwrite(path, grey)),
    "float TIFF, compressed": (12.5, "tif", lambda path, grey: tifffile.imwrite(path, grey, compression="zlib")),
    "float TIFF with holes": (24, "tif", lambda path, grey: tifffile.imwrite(path, _with_holes(grey))),
    "double TIFF": (22, "tif", lambda path, grey: tifffile.imwrite(path, grey.astype(np.float64))),
    "float colour TIFF": (32, "tif", lambda path, grey: tifffile.imwrite(path, _colour(grey), photometric="rgb")),
    "float array": (12.5, "npy", np.save),
    "float array, compressed": (12.5, "npz", lambda path, grey: np.savez_compressed(path, a=grey)),
    "float FITS": (17, "fits", _fits),
}


def peak(path: Path) -> float:
    """Highest resident memory while a file is described, bytes above the beginning."""
    small = path.with_name("small.png")
    Image.fromarray(_bytes(samples(300))).save(small)
    describe_files([FileTask(file_state(small), SETTINGS)])
    Path("/proc/self/clear_refs").write_text("5")  # the highest mark begins anew
    before = _status("VmRSS")
    [result] = describe_files([FileTask(file_state(path), SETTINGS)])
    if result.failure is not None:
        raise ValueError(result.failure.detail)
    return _status("VmHWM") - before


def _status(name: str) -> int:
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name)]
    return int(line.split()[1]) * 1024


def main(kind: str, folder: str) -> None:
    """Measure a file that `write` made."""
    print(peak(Path(folder) / f"a.{KINDS[kind][1]}") / SIDE**2)


if __name__ == "__main__":
    main(*sys.argv[1:])
