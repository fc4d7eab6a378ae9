"""Banks of hashes without pictures, and what is found in them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

PDQ_BITS = 256
MATCHING_BITS = 31  # PDQ hashes that differ in at most so many bits match, as its documentation recommends
LEAST_QUALITY = 50  # of a PDQ hash, 0..100; below, the picture has too little structure to be matched


class SignalKind(StrEnum):
    """What a hash was made by."""

    PDQ = "pdq"
    DESCRIPTOR = "dedupindex"  # our own descriptor; comparable only where the fingerprints agree


class BankStyle(StrEnum):
    """How a bank is written."""

    HMA = "hma"  # Hasher-Matcher-Actioner: signal_type and signal by name
    THREATEXCHANGE = "threatexchange"  # indicators, with their type in JSON


@dataclass(frozen=True, slots=True)
class Signal:
    """A hash with its id.

    Attributes
    ----------
    kind : SignalKind
    value : bytes
        32 bytes of PDQ, 384 of a descriptor.
    id : str
        What it is known by; for people and programs.
    quality : int or None
        Of a PDQ hash, 0..100; None = not known.
    signature : str
        Of a descriptor: the fingerprint of the settings and versions that made it.
    """

    kind: SignalKind
    value: bytes
    id: str = ""
    quality: int | None = None
    signature: str = ""


@dataclass(frozen=True, slots=True)
class BankMatch:
    """A hash of a bank that is near a picture's.

    Attributes
    ----------
    bank : str
        Name of the bank.
    signal : Signal
    distance : float
        Bits that differ for PDQ, 1 - cosine for a descriptor.
    """

    bank: str
    signal: Signal
    distance: float
