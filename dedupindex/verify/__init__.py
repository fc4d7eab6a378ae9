"""Decide whether two images show the same, with the evidence; and prove it at full resolution."""

from dedupindex.verify.arrays import features_of_array, register, verify_arrays
from dedupindex.verify.verification import verify

__all__ = ["features_of_array", "register", "verify", "verify_arrays"]
