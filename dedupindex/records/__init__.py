"""Data that the packages exchange: frozen, slotted dataclasses with at most small properties.

Words (one per idea): *image* = content (SHA-256 of a file's bytes + frame number); *location* = where it was seen;
*frame* = one 2-D picture; *mask* = ``(H, W)`` bool, True = valid; *distance* small = near; *score* large = alike.
Shifts are ``(dy, dx)``, rows first, in pixels of picture *a*.
"""

from typing import TYPE_CHECKING

from dedupindex.lazy import loader
from dedupindex.records.answers import (
    Decision,
    DecisionKind,
    DuplicateGroup,
    DuplicatesSummary,
    FlagKind,
    GroupFlag,
    GroupMember,
    ImageRecord,
    IngestSummary,
    LocationRecord,
    Match,
    Neighbour,
    Pair,
    Problem,
    ProofSummary,
    RunRecord,
    Series,
    SeriesMember,
)
from dedupindex.records.evidence import ProofMeasures, VerificationMeasures
from dedupindex.records.files import Failure, FileStatus, FoundFile, SkippedFile, SkipReason
from dedupindex.records.links import Link, link_of
from dedupindex.records.pictures import (
    DecodedFile,
    Features,
    Frame,
    Keypoints,
    Look,
    PreparedFrame,
)
from dedupindex.records.proofs import Outcome, Proof, Region, relations_after
from dedupindex.records.verdicts import Candidate, Registration, RegistrationMethod, Relation, Side, Verification

if TYPE_CHECKING:
    from dedupindex.records.arrays import ByteArray as ByteArray
    from dedupindex.records.arrays import CodeArray as CodeArray
    from dedupindex.records.arrays import FloatArray as FloatArray
    from dedupindex.records.arrays import Mask as Mask

__getattr__ = loader(  # of what needs NumPy
    __name__, dict.fromkeys(("ByteArray", "CodeArray", "FloatArray", "Mask"), "dedupindex.records.arrays")
)
__all__ = [
    "ByteArray",
    "Candidate",
    "CodeArray",
    "Decision",
    "DecisionKind",
    "DecodedFile",
    "DuplicateGroup",
    "DuplicatesSummary",
    "Failure",
    "Features",
    "FileStatus",
    "FlagKind",
    "FloatArray",
    "FoundFile",
    "Frame",
    "GroupFlag",
    "GroupMember",
    "ImageRecord",
    "IngestSummary",
    "Keypoints",
    "Link",
    "LocationRecord",
    "Look",
    "Mask",
    "Match",
    "Neighbour",
    "Outcome",
    "Pair",
    "PreparedFrame",
    "Problem",
    "Proof",
    "ProofMeasures",
    "ProofSummary",
    "Region",
    "Registration",
    "RegistrationMethod",
    "Relation",
    "RunRecord",
    "Series",
    "SeriesMember",
    "Side",
    "SkipReason",
    "SkippedFile",
    "Verification",
    "VerificationMeasures",
    "link_of",
    "relations_after",
]
