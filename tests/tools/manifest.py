"""What fitted numbers say of themselves: data, seed, versions of what was seen, figures; and whether it still holds.

``python -m tests.tools.manifest`` checks the manifests that ship. ``... keep NAME FEATURE "REASON"`` records that
numbers are kept although a feature that they were fitted on has changed since.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import scipy

import dedupindex
from dedupindex import versions as of
from dedupindex.features.model import load_model
from dedupindex.fitted import digest
from dedupindex.settings import Settings
from dedupindex.verify import score
from dedupindex.verify.pieces import scoring
from dedupindex.verify.proof import thresholds
from dedupindex.versions import versions

PACKAGE = Path(dedupindex.__file__).parent
SHIPPED: Mapping[str, Path] = {
    "score": PACKAGE / "fitted" / "score.json",
    "radius": PACKAGE / "fitted" / "radius.json",
    "proof": PACKAGE / "fitted" / "proof.json",
    "model": PACKAGE / "features" / "model.npz",
    "piece_words": PACKAGE / "features" / "pieces.npz",
    "pieces": PACKAGE / "fitted" / "pieces.json",
}
COMMANDS: Mapping[str, str] = {
    "score": "python -m tests.tools.fit_score FOLDER",
    "radius": "python -m tests.tools.fit_radius QUERIES OTHERS",
    "proof": "python -m tests.tools.fit_proof PHOTOS",
    "model": "python -m tests.tools.train_descriptor FOLDER",
    "piece_words": "python -m tests.tools.fit_pieces words FOLDER",
    "pieces": "python -m tests.tools.fit_pieces score PHOTOS FILLERS ALIKE",
}


@dataclass(frozen=True, slots=True)
class Kept:
    """Why numbers are kept although something that they were fitted on has another version now.

    Attributes
    ----------
    version : str
        The version that they are kept with.
    reason : str
    """

    version: str
    reason: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """Where fitted numbers come from.

    Attributes
    ----------
    sha256 : str
        Of the file with the numbers.
    command : str
        What fitted them.
    data : mapping
        For each folder its number of files and a digest of their sorted digests (`folder_digest`).
    seed : int or None
        None where it is not known.
    versions : mapping
        Of every feature and measure that was seen.
    figures : mapping
        What was reached.
    notes : str
        What else a reader has to know.
    kept : mapping of str to Kept
        By the name in `versions`.
    libraries : mapping
        Name to version: the last digits of a fit may depend on them.
    """

    sha256: str
    command: str
    data: Mapping[str, Any]
    seed: int | None
    versions: Mapping[str, str]
    figures: Mapping[str, Any]
    notes: str = ""
    kept: Mapping[str, Kept] = field(default_factory=dict)
    libraries: Mapping[str, str] = field(default_factory=dict)


def libraries() -> dict[str, str]:
    """Versions of the libraries that compute features and fits."""
    return {"numpy": np.__version__, "scipy": scipy.__version__, "opencv": cv2.__version__}


def seen_versions(name: str) -> dict[str, str]:
    """Present versions of what the numbers called *name* are fitted on."""
    if name == "model":  # what is described before there is a model
        return {
            "thumbnail": of.THUMBNAIL,
            "keypoints": of.KEYPOINTS,
            "descriptor": of.DESCRIPTOR,
        }
    if name == "piece_words":
        return {"piece_keypoints": of.PIECE_KEYPOINTS, "model": load_model().digest}
    if name == "pieces":
        return {
            "pieces": of.piece_version(),
            "evidence": scoring.EVIDENCE_VERSION,
            "proof": f"{thresholds.MEASURES_VERSION}.{digest('proof')}",
        }
    if name == "proof":  # which sees the decoded pictures
        return {"measures": thresholds.MEASURES_VERSION}
    seen = dict(versions(Settings()))
    wanted = {"score": ("thumbnail", "keypoints", "descriptor", "frame"), "radius": ("keypoints", "descriptor")}[name]
    found = {feature: seen[feature] for feature in wanted}
    if name == "score":
        found["evidence"] = score.EVIDENCE_VERSION
    return found


def folder_digest(folder: Path) -> dict[str, Any]:
    """Number of files below a folder and the SHA-256 of their sorted SHA-256 digests: names and places do not count."""
    digests = sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file())
    return {"files": len(digests), "sha256_of_sorted_sha256": hashlib.sha256("\n".join(digests).encode()).hexdigest()}


def manifest_path(numbers: Path) -> Path:
    """Where the manifest of a file of numbers lies."""
    return numbers.with_name(f"{numbers.stem}.manifest.json")


def write_manifest(numbers: Path, manifest: Manifest) -> None:
    """Write the manifest beside a file of numbers."""
    text = json.dumps(asdict(manifest), indent=1, ensure_ascii=False)
    manifest_path(numbers).write_text(text + "\n", encoding="utf-8")


def read_manifest(numbers: Path) -> Manifest:
    """Read the manifest of a file of numbers.

    Raises
    ------
    OSError, ValueError, TypeError
        None there, or damaged.
    """
    values = json.loads(manifest_path(numbers).read_text(encoding="utf-8"))
    kept = {name: Kept(**why) for name, why in values.pop("kept").items()}
    return Manifest(**values, kept=kept)


def file_digest(numbers: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(numbers.read_bytes()).hexdigest()


def problems(numbers: Path, manifest: Manifest, present: Mapping[str, str]) -> list[str]:
    """In what a file of numbers and its manifest disagree with each other and with the present versions.

    Parameters
    ----------
    numbers : Path
    manifest : Manifest
    present : mapping
        Name to version, `seen_versions`.

    Returns
    -------
    list of str
        Sentences; empty when all is well.
    """
    found = []
    if file_digest(numbers) != manifest.sha256:
        found.append(f"{numbers.name} is not the file that its manifest describes")
    for name, version in present.items():
        seen = manifest.versions.get(name)
        kept = manifest.kept.get(name)
        if version != seen and (kept is None or kept.version != version):
            found.append(f"{numbers.name} was fitted on {name} {seen}, which is {version} now")
    return found


def check() -> list[str]:
    """Problems of everything that ships, each with the command that mends it."""
    found = []
    for name, numbers in SHIPPED.items():
        found += [
            f"{problem}: run `{COMMANDS[name]}`"
            for problem in problems(numbers, read_manifest(numbers), seen_versions(name))
        ]
    return found


def keep(name: str, feature: str, reason: str) -> None:
    """Record that the numbers called *name* are kept with the present version of a feature."""
    numbers = SHIPPED[name]
    manifest = read_manifest(numbers)
    kept = {**manifest.kept, feature: Kept(seen_versions(name)[feature], reason)}
    values = {**{key: getattr(manifest, key) for key in manifest.__dataclass_fields__}, "kept": kept}
    write_manifest(numbers, Manifest(**values))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    verbs = parser.add_subparsers(dest="verb")
    keeping = verbs.add_parser("keep", help="keep numbers although a feature has changed")
    keeping.add_argument("name", choices=SHIPPED)
    keeping.add_argument("feature")
    keeping.add_argument("reason")
    arguments = parser.parse_args()
    if arguments.verb == "keep":
        if arguments.feature not in seen_versions(arguments.name):
            parser.error(f"{arguments.name} is not fitted on {arguments.feature}")
        keep(arguments.name, arguments.feature, arguments.reason)
    found = check()
    print("\n".join(found) or "all numbers agree with their manifests")
    raise SystemExit(1 if found else 0)


if __name__ == "__main__":
    main()
