"""The types of arrays that records hold. A module of their own: who reads a report does not need NumPy."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

AnyArray: TypeAlias = NDArray[np.generic]
FloatArray: TypeAlias = NDArray[np.float32]
Mask: TypeAlias = NDArray[np.bool_]
ByteArray: TypeAlias = NDArray[np.uint8]
CodeArray: TypeAlias = NDArray[np.int8]
