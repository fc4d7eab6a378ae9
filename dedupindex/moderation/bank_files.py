"""Banks as files: CSV and JSON as Hasher-Matcher-Actioner, ThreatExchange and PDQ's own tools write them.

What is read
    CSV with a header that names the hash (``signal``, ``hash``, ``indicator`` ...), with or without the others; without
    a header ``HASH,NAME`` as `pdq-photo-hasher` prints and ``ID,HASH,...`` as the threatexchange tool keeps. JSON: a
    list, or ``{"data": [...]}``, of objects with such names, or with ``signals: {"pdq": HASH}`` as HMA has them.
"""

from __future__ import annotations

import base64
import binascii
import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dedupindex.errors import SettingsError
from dedupindex.moderation.banks import Bank, bank_of
from dedupindex.records.banks import BankStyle, Signal, SignalKind

HASHES = ("signal", "signal_value", "signal_val", "hash", "indicator", "value", "pdq")
TYPES = ("signal_type", "type", "indicator_type")
IDS = ("id", "content_id", "bank_content_id", "indicator_id", "name", "path")
QUALITIES = ("quality", "pdq_quality")
COLUMNS = ("signal_type", "signal", "id", "quality")
_HEX = re.compile(r"[0-9a-fA-F]{64}")
_PDQ_NAMES = {"pdq", "hash_pdq", ""}
_OURS = re.compile(r"dedupindex:([0-9a-f]{32})")


def read_bank(path: Path, name: str = "") -> Bank:
    """Read a bank from a ``.json`` or ``.csv`` file; hashes of other kinds (MD5, text) are left out.

    Parameters
    ----------
    path : Path
    name : str
        What it is called; by default the file's name.

    Returns
    -------
    Bank

    Raises
    ------
    SettingsError
        It cannot be read, or no hash that is known stands in it.
    """
    try:
        text = path.read_text("utf-8-sig", "surrogateescape")
        entries = _json_entries(text) if path.suffix.lower() == ".json" else _csv_entries(text)
        signals = [signal for number, entry in enumerate(entries, 1) for signal in _signals(entry, number)]
    except (OSError, ValueError, RecursionError, csv.Error) as error:
        raise SettingsError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
    if not signals:
        raise SettingsError(f"{path}: holds no PDQ hash and no descriptor")
    return bank_of(name or path.stem, signals)


def bank_csv(signals: Iterable[Signal], style: BankStyle = BankStyle.HMA) -> bytes:
    """Hashes as CSV: with a header, or as the threatexchange tool keeps them, ``ID,HASH`` without one."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    if style is BankStyle.HMA:
        writer.writerow(COLUMNS)
    for signal in signals:
        kind, value = _written(signal)
        quality = "" if signal.quality is None else signal.quality
        writer.writerow((signal.id, value) if style is BankStyle.THREATEXCHANGE else (kind, value, signal.id, quality))
    return text.getvalue().encode("utf-8", "surrogateescape")


def bank_entries(signals: Iterable[Signal], style: BankStyle = BankStyle.HMA) -> list[dict[str, Any]] | dict[str, Any]:
    """Hashes as plain values for JSON: HMA's list of contents with their signals, or ThreatExchange's indicators."""
    if style is BankStyle.THREATEXCHANGE:
        return {
            "data": [
                {"id": signal.id, "type": "HASH_PDQ" if kind == SignalKind.PDQ else kind, "indicator": value}
                for signal in signals
                for kind, value in [_written(signal)]
            ]
        }
    entries: list[dict[str, Any]] = []
    for signal in signals:
        kind, value = _written(signal)
        entry: dict[str, Any] = {"id": signal.id, "signals": {kind: value}}
        if signal.quality is not None:
            entry["quality"] = signal.quality
        entries.append(entry)
    return entries


def signal_of(kind: str, value: str, name: str = "", quality: int | None = None) -> Signal | None:
    """A hash from its texts; None where the kind is another one.

    Parameters
    ----------
    kind : str
        ``pdq`` (or ``HASH_PDQ``), ``dedupindex:FINGERPRINT``; "" = PDQ.
    value : str
        64 hexadecimal digits, or base64 of a descriptor.
    name : str
        The id.
    quality : int or None
        Of a PDQ hash, 0..100.

    Returns
    -------
    Signal or None

    Raises
    ------
    ValueError
        It is no such hash.
    """
    if kind.lower() in _PDQ_NAMES:
        if not _HEX.fullmatch(value):
            raise ValueError(f"{value[:80]!r} is no PDQ hash, which has 64 hexadecimal digits")
        return Signal(SignalKind.PDQ, bytes.fromhex(value), name, quality)
    if (ours := _OURS.fullmatch(kind)) is None:
        return None
    try:
        data = base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise ValueError(f"{value[:40]!r} is no descriptor in base64") from error
    return Signal(SignalKind.DESCRIPTOR, data, name, None, ours[1])


def _written(signal: Signal) -> tuple[str, str]:
    """Type and value of a hash as texts."""
    if signal.kind is SignalKind.PDQ:
        return SignalKind.PDQ.value, signal.value.hex()
    return f"{SignalKind.DESCRIPTOR}:{signal.signature}", base64.b64encode(signal.value).decode()


def _json_entries(text: str) -> Sequence[Any]:
    value = json.loads(text)
    if isinstance(value, dict):
        value = next((value[name] for name in ("data", "signals", "contents", "content") if name in value), None)
    if not isinstance(value, list):
        raise ValueError("is no list of hashes")
    return value


def _csv_entries(text: str) -> Iterator[Mapping[str, Any]]:
    rows = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    if not rows:
        return
    names = [name.strip().lower() for name in rows[0]]
    if any(name in HASHES for name in names):
        for row in rows[1:]:
            yield dict(zip(names, (cell.strip() for cell in row), strict=False))
        return
    for row in rows:
        cells = [cell.strip() for cell in row]
        at = next((number for number, cell in enumerate(cells) if _HEX.fullmatch(cell)), None)
        if at is None:
            raise ValueError(f"row {','.join(row)[:80]!r} has no PDQ hash, and there is no header")
        other = [cell for number, cell in enumerate(cells) if number != at]
        yield {"signal": cells[at], "id": other[0] if other else ""}


def _signals(entry: Any, number: int) -> Iterator[Signal]:
    if isinstance(entry, str):
        entry = {"signal": entry}
    if not isinstance(entry, Mapping):
        raise ValueError(f"entry {number} is no hash")
    name = _first(entry, IDS)
    quality = _first(entry, QUALITIES)
    known = int(quality) if quality.isdigit() else None
    given = entry.get("signals")
    pairs = list(given.items()) if isinstance(given, Mapping) else [(_first(entry, TYPES), _first(entry, HASHES))]
    for kind, value in pairs:
        if not value:
            raise ValueError(f"entry {number} has no hash")
        try:
            signal = signal_of(str(kind), str(value), name, known)
        except ValueError as error:
            raise ValueError(f"entry {number}: {error}") from error
        if signal is not None:
            yield signal


def _first(entry: Mapping[str, Any], names: Sequence[str]) -> str:
    return next((str(entry[name]) for name in names if entry.get(name) not in (None, "")), "")
