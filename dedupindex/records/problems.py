"""Kinds of problem that `check` looks for."""

from __future__ import annotations

from enum import StrEnum


class ProblemCode(StrEnum):
    """Kind of a problem. The values are printed, and programs read them."""

    DATABASE_DAMAGED = "database_damaged"  # unreadable, or a value that cannot be
    OTHER_SETTINGS = "other_settings"  # features were made with other settings than those in force
    IMAGES_WITHOUT_FEATURES = "images_without_features"
    FEATURES_WITHOUT_IMAGE = "features_without_image"
    PROOFS_WITHOUT_PAIR = "proofs_without_pair"
    NO_DESCRIPTOR = "no_descriptor"
    EMPTY_DESCRIPTOR = "empty_descriptor"  # all zero: the vector index cannot hold it
    DAMAGED_FEATURE = "damaged_feature"
    DAMAGED_PAIR = "damaged_pair"
    PAIRS_OF_ANOTHER_RULE = "pairs_of_another_rule"  # confirmed by an older version of dedupindex
    DAMAGED_PROOF = "damaged_proof"
    LEFTOVER_FILE = "leftover_file"  # in the folder of vector files; nothing reads it
    VECTOR_FILE_OF_OTHER_SETTINGS = "vector_file_of_other_settings"
    VECTOR_FILE_UNUSABLE = "vector_file_unusable"  # missing or damaged
    VECTOR_FILE_BEHIND = "vector_file_behind"  # made from other descriptors than the database holds
    WRONG_VECTOR = "wrong_vector"
    INDEX_MISSES = "index_misses"  # the index finds too few of the nearest images
    FILE_MISSING = "file_missing"
    FILE_UNREADABLE = "file_unreadable"
    FILE_CHANGED = "file_changed"  # other content than when it was ingested
