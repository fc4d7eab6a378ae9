from dataclasses import dataclass, fields
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedupindex.engines.arrow_codec import records_of, table_of
from dedupindex.engines.folder import WorkFolder
from dedupindex.engines.jobs import put_part
from dedupindex.errors import Reason
from dedupindex.execution.tasks import (
    FileResult,
    FileTask,
    PairResult,
    PairTask,
    ProofFile,
    ProofResult,
    ProofTask,
)
from dedupindex.records import (
    Failure,
    Outcome,
    Proof,
    ProofMeasures,
    Region,
    Registration,
    RegistrationMethod,
    Relation,
    Side,
    Verification,
    VerificationMeasures,
)
from dedupindex.search.pair_stages import verify_pairs
from dedupindex.settings import Settings
from dedupindex.store.rows import FileState, NewImage

SETTINGS = Settings(workers=3)
whole = st.integers(-(2**63), 2**63 - 1)
count = st.integers(0, 2**31)
number = st.floats(allow_nan=False)
text = st.text(max_size=8) | st.just("\udcff\ud800")
paths = (
    st.binary(min_size=1, max_size=8)
    .filter(lambda b: b"\0" not in b)
    .map(lambda b: Path("/x" + b.decode("utf-8", "surrogateescape")))
)
blobs = st.binary(max_size=20)
features = st.dictionaries(st.sampled_from(["descriptor", "keypoints", "thumbnail"]), blobs)
failures = st.builds(Failure, paths, st.sampled_from(Reason), text)
states = st.builds(FileState, paths, whole, whole, whole)
tasks = st.builds(FileTask, states, st.just(SETTINGS), count, count, blobs)
images = st.builds(
    NewImage, blobs, count, text, count, count, count, count, number, st.booleans(), text, st.booleans(), count, count,
    blobs, features,
)  # fmt: skip
results = st.builds(
    FileResult, tasks, states, st.lists(images, max_size=2).map(tuple), st.none() | failures,
    st.lists(tasks, max_size=2).map(tuple), count,
)  # fmt: skip
row = st.tuples(number, number, number)
registrations = st.builds(
    Registration,
    st.tuples(number, number),
    number,
    number,
    st.booleans(),
    number,
    st.tuples(row, row),
    st.sampled_from(RegistrationMethod),
    number,
)


def measures_of(kind):
    """Some of the numbers; the others were not measured."""
    names = [field.name for field in fields(kind)]
    return st.dictionaries(st.sampled_from(names), number, max_size=3).map(kind.of)


verifications = st.builds(
    Verification, st.booleans(), number, st.lists(st.sampled_from(Relation), max_size=3).map(tuple), registrations,
    text, measures_of(VerificationMeasures), st.none() | st.tuples(whole, whole, whole, whole),
    st.none() | st.sampled_from(Side), text,
)  # fmt: skip
pairs = st.lists(st.tuples(count, count), max_size=3).map(tuple)
pair_tasks = st.builds(PairTask, st.dictionaries(count, features, max_size=2), pairs, number, st.booleans())
pair_results = st.builds(
    PairResult, count, st.lists(st.tuples(count, count, verifications), max_size=2).map(tuple), pairs, pairs
)
small = st.tuples(count, count)
four = st.tuples(count, count, count, count)
regions = st.builds(Region, four, four, number, number, st.none() | st.tuples(number, number))
proofs = st.builds(
    Proof, st.sampled_from(Outcome), st.lists(regions, max_size=2).map(tuple), number, number, number, number, small,
    number, number, number, st.booleans(), text, st.tuples(row, row),
    measures_of(ProofMeasures), text,
)  # fmt: skip
proof_files = st.builds(
    ProofFile, count, blobs, count, count, st.booleans(), count, count, st.lists(paths, max_size=2).map(tuple)
)
registered = st.lists(st.tuples(count, count, st.tuples(row, row)), max_size=2).map(tuple)
proof_tasks = st.builds(ProofTask, st.lists(proof_files, max_size=2).map(tuple), registered, st.just(SETTINGS), count)
proof_results = st.builds(
    ProofResult, st.lists(st.tuples(count, count, proofs), max_size=2).map(tuple), pairs, registered, text
)
KINDS = [
    (FileTask, tasks), (FileResult, results), (PairTask, pair_tasks), (PairResult, pair_results),
    (ProofTask, proof_tasks), (ProofResult, proof_results),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "records"), KINDS, ids=lambda value: getattr(value, "__name__", ""))
def test_nothing_is_lost_on_the_way_through_a_table(kind, records):
    @settings(deadline=None, max_examples=40)
    @given(st.lists(records, max_size=3))
    def there_and_back(given_records):
        assert records_of(kind, table_of(kind, given_records), SETTINGS) == given_records

    there_and_back()


@pytest.mark.parametrize(("kind", "records"), KINDS, ids=lambda value: getattr(value, "__name__", ""))
def test_nothing_is_lost_on_the_way_through_a_file(kind, records, tmp_path_factory):
    folder = WorkFolder(str(tmp_path_factory.mktemp("parts")))

    @settings(deadline=None, max_examples=20)
    @given(st.lists(records, min_size=1, max_size=2))
    def there_and_back(given_records):
        name = put_part(folder, table_of(kind, given_records))
        assert records_of(kind, folder.read(name), SETTINGS) == given_records

    there_and_back()


def test_what_has_no_shape_is_refused():
    @dataclass(frozen=True)
    class Odd:
        value: complex

    with pytest.raises(TypeError, match="complex"):
        table_of(Odd, [Odd(1j)])


def test_verify_pairs_answers_alike_for_tasks_from_a_file():
    task = PairTask({}, (), 0.5)
    assert verify_pairs(records_of(PairTask, table_of(PairTask, [task]), SETTINGS)) == verify_pairs([task])
