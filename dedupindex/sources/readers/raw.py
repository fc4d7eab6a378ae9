"""Camera raw files through rawpy (LibRaw): the camera's own preview where it is large enough, else developed."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dedupindex.sources.content import DecodedContent, Source, check_frame, choose_frames, make_frame
from dedupindex.sources.pictures import PLUGINS, pillow_limits, read_orientation, to_array, upright
from dedupindex.sources.quiet import native_stderr
from dedupindex.sources.readers.packages import package

NEARLY_WHOLE = 0.9  # of the raw picture's longest side: then a preview stands for full size
_SHAPE_TOLERANCE = 0.03  # of the ratio of the sides, between preview and raw picture
_FLIPS = {0: 1, 3: 3, 5: 8, 6: 6}  # LibRaw's turn -> EXIF orientation

Array = NDArray[Any]


def read_raw(source: Source) -> DecodedContent:
    """A camera raw file.

    The embedded JPEG is what the camera made of the same exposure, so it is nearest to the JPEG beside the raw file,
    and it is read in a fraction of the time. It is taken where it has at least the side that is asked for
    (`Source.min_side`; nearly the whole size, where all of it is) and the shape of the raw picture. Else the sensor's
    picture is developed to 16-bit RGB with the camera's white balance.

    Raises
    ------
    UnsupportedImageError
        rawpy is not installed.
    """
    rawpy = package(source, "rawpy", "camera raw", "raw")
    with native_stderr(source.notes), rawpy.imread(io.BytesIO(source.data)) as raw:
        height, width = int(raw.sizes.height), int(raw.sizes.width)
        check_frame(source, height, width, 6)
        choose_frames(source, 1, stack=False)
        orientation = _FLIPS.get(int(raw.sizes.flip), 1)
        full = (width, height) if orientation >= 5 else (height, width)
        preview = _preview(source, rawpy, raw, full, orientation)
        if preview is not None:
            return DecodedContent("RAW", (make_frame(source, preview, full_shape=full, bits=8),), 1, 0, lossless=True)
        pixels = np.array(raw.postprocess(use_camera_wb=True, no_auto_bright=True, output_bps=16))
    return DecodedContent("RAW", (make_frame(source, pixels, bits=16),), 1, 0, lossless=True)


def _preview(source: Source, rawpy: Any, raw: Any, full: tuple[int, int], orientation: int) -> Array | None:
    """The embedded JPEG, upright; None where there is none that will do."""
    try:
        thumb = raw.extract_thumb()
        if thumb.format != rawpy.ThumbFormat.JPEG:
            return None
        with pillow_limits(source.settings.max_pixels), _opened(bytes(thumb.data)) as image:
            own = read_orientation(source, image)
            turn = own if own != 1 else orientation
            width, height = image.size
            shape = (width, height) if turn >= 5 else (height, width)
            if orientation >= 5 and own == 1 and _is_alike((height, width), full):
                turn, shape = 1, (height, width)  # it was stored upright
            if not _is_alike(shape, full):
                return None
            whole = NEARLY_WHOLE * max(full)
            if max(shape) < min(whole, whole if source.min_side is None else source.min_side):
                return None
            check_frame(source, height, width, 3)
            image.load()
            pixels, _, _ = to_array(image)
    except Exception as error:  # whatever is wrong with the preview, the raw picture itself may be sound
        if isinstance(error, MemoryError):
            raise
        return None
    return upright(pixels, turn) if turn != 1 else pixels


def _opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data), formats=PLUGINS["JPEG"])


def _is_alike(shape: tuple[int, int], full: tuple[int, int]) -> bool:
    """Whether two pictures have the same ratio of height to width."""
    one, other = shape[0] / shape[1], full[0] / full[1]
    return abs(one / other - 1) <= _SHAPE_TOLERANCE
