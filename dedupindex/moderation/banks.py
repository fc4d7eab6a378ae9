"""A bank of hashes, ready to be asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dedupindex.errors import SettingsError
from dedupindex.features import DESCRIPTOR_DIMENSIONS, unit
from dedupindex.records import FloatArray
from dedupindex.records.banks import LEAST_QUALITY, MATCHING_BITS, BankMatch, Signal, SignalKind

MATCHING_DISTANCE = 0.5  # of descriptors; at .65 two of a million unrelated pictures are nearer (`fitted` radius)
PDQ_BYTES = 32


@dataclass(frozen=True, slots=True)
class Bank:
    """Hashes of one name, as arrays.

    Attributes
    ----------
    name : str
    signals : tuple of Signal
    signature : str
        Of the descriptors among them; "" = there are none.
    words : (N, 4) uint64
        The PDQ hashes.
    word_signals : (N,) int64
        Which of the signals each is.
    vectors : (M, 384) float32
        The descriptors, unit length.
    vector_signals : (M,) int64
    """

    name: str
    signals: tuple[Signal, ...]
    signature: str
    words: NDArray[np.uint64]
    word_signals: NDArray[np.int64]
    vectors: FloatArray
    vector_signals: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.signals)

    def __repr__(self) -> str:
        return f"Bank({self.name!r}: {len(self.words):,} PDQ hashes, {len(self.vectors):,} descriptors)"


def bank_of(name: str, signals: Sequence[Signal]) -> Bank:
    """Arrange hashes as a bank.

    Raises
    ------
    SettingsError
        A hash has a wrong length, or descriptors of several signatures are among them.
    """
    lengths = {SignalKind.PDQ: PDQ_BYTES, SignalKind.DESCRIPTOR: DESCRIPTOR_DIMENSIONS}
    for signal in signals:
        if len(signal.value) != lengths[signal.kind]:
            raise SettingsError(f"{name}: a {signal.kind} hash has {len(signal.value)} bytes: {signal.id}")
    by_kind = {kind: [number for number, one in enumerate(signals) if one.kind is kind] for kind in SignalKind}
    signatures = {signals[number].signature for number in by_kind[SignalKind.DESCRIPTOR]}
    if len(signatures) > 1:
        raise SettingsError(f"{name}: descriptors of different settings are in one bank")
    hashes = b"".join(signals[number].value for number in by_kind[SignalKind.PDQ])
    codes = b"".join(signals[number].value for number in by_kind[SignalKind.DESCRIPTOR])
    vectors = np.frombuffer(codes, np.int8).reshape(-1, DESCRIPTOR_DIMENSIONS)
    return Bank(
        name=name,
        signals=tuple(signals),
        signature=next(iter(signatures), ""),
        words=np.frombuffer(hashes, np.uint64).reshape(-1, PDQ_BYTES // 8),
        word_signals=np.array(by_kind[SignalKind.PDQ], np.int64),
        vectors=unit(vectors) if len(vectors) else vectors.astype(np.float32),
        vector_signals=np.array(by_kind[SignalKind.DESCRIPTOR], np.int64),
    )


def match_pdq(bank: Bank, signal: Signal, most: int = MATCHING_BITS) -> list[BankMatch]:
    """PDQ hashes of a bank that differ from another one in few bits, nearest first.

    Parameters
    ----------
    bank : Bank
    signal : Signal
        Of a picture; one of low quality matches nothing.
    most : int
        Bits.

    Returns
    -------
    list of BankMatch
    """
    if not len(bank.words) or (signal.quality is not None and signal.quality < LEAST_QUALITY):
        return []
    differing = np.bitwise_count(bank.words ^ np.frombuffer(signal.value, np.uint64)).sum(axis=1, dtype=np.int64)
    return _nearest(bank, differing, bank.word_signals, most)


def match_descriptor(
    bank: Bank, probes: FloatArray, signature: str, most: float = MATCHING_DISTANCE
) -> list[BankMatch]:
    """Descriptors of a bank that are near a picture's, nearest first. Nothing confirms them: a bank has no pictures.

    Parameters
    ----------
    bank : Bank
    probes : (P, 384) float32
        The picture in its orientations, unit length.
    signature : str
        Of the settings that made them.
    most : float
        1 - cosine.

    Returns
    -------
    list of BankMatch

    Raises
    ------
    SettingsError
        The bank's descriptors were made with other settings.
    """
    if not len(bank.vectors) or not len(probes):
        return []
    if bank.signature != signature:
        raise SettingsError(
            f"{bank.name}: its descriptors were made with other settings or another version; export it again"
        )
    distance = 1.0 - (bank.vectors @ probes.T).max(axis=1)
    return _nearest(bank, np.maximum(distance, 0.0), bank.vector_signals, most)


def _nearest(
    bank: Bank, distance: NDArray[np.int64] | FloatArray, signals: NDArray[np.int64], most: float
) -> list[BankMatch]:
    near = np.flatnonzero(distance <= most)
    order = near[np.argsort(distance[near], kind="stable")]
    return [BankMatch(bank.name, bank.signals[signals[row]], round(float(distance[row]), 6)) for row in order.tolist()]
