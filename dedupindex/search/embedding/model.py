"""Vectors from an ONNX model."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dedupindex.errors import SettingsError
from dedupindex.prepare.rgb8 import rgb8
from dedupindex.records import CodeArray, FloatArray
from dedupindex.search.embedding.spec import Embedding, Options


def model_input(pixels: NDArray[np.generic], options: Options) -> FloatArray:
    """A picture as a model takes it.

    Parameters
    ----------
    pixels : (H, W) or (H, W, 3) array
    options : Options

    Returns
    -------
    (1, 3, h, w) or (1, h, w, 3) float32
    """
    picture = rgb8(pixels)
    height, width = options.size
    if options.resize == "crop":
        factor = max(height / picture.shape[0], width / picture.shape[1])
        scaled = (max(width, round(picture.shape[1] * factor)), max(height, round(picture.shape[0] * factor)))
        whole = cv2.resize(picture, scaled, interpolation=cv2.INTER_AREA)
        top, left = (whole.shape[0] - height) // 2, (whole.shape[1] - width) // 2
        small = whole[top : top + height, left : left + width]
    else:
        small = np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA))
    values = small.astype(np.float32) / 255
    if options.channels == "BGR":
        values = values[..., ::-1]
    values = (values - np.array(options.mean, np.float32)) / np.array(options.std, np.float32)
    if options.layout == "NCHW":
        values = values.transpose(2, 0, 1)
    return np.ascontiguousarray(values[None])


def vector_of(pixels: NDArray[np.generic], embedding: Embedding) -> FloatArray:
    """The model's vector of a picture, (D,) float32; of several outputs the first.

    Raises
    ------
    SettingsError
        The model cannot be loaded, or does not take such pictures.
    """
    session, name = _session(embedding.path, embedding.fingerprint)
    try:
        output = session.run(None, {name: model_input(pixels, embedding.options)})[0]
    except Exception as error:  # what onnxruntime raises derives from nothing else
        raise SettingsError(f"{embedding.path.name}: the model refuses a picture: {_first_line(error)}") from error
    return np.asarray(output, np.float32).reshape(-1)


def codes(vector: NDArray[np.floating[Any]]) -> CodeArray | None:
    """A vector as int8, its largest number at +-127; None where it has no direction."""
    values = np.asarray(vector, np.float64)
    largest = float(np.abs(values).max()) if values.size and np.isfinite(values).all() else 0.0
    if not largest:
        return None
    result: CodeArray = np.rint(values * (127 / largest)).astype(np.int8)
    return result


@lru_cache(maxsize=2)
def _session(path: Path, fingerprint: str) -> tuple[Any, str]:
    """A session of a model, which takes one thread: others have processes of their own; and its input's name."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # as above
        raise SettingsError(f"{path.name}: is no model that onnxruntime reads: {_first_line(error)}") from error
    inputs = session.get_inputs()
    if len(inputs) != 1:
        raise SettingsError(f"{path.name}: the model takes {len(inputs)} inputs, must take one picture")
    return session, inputs[0].name


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
