import gzip
import io
import os
import random
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedupindex.errors import LimitExceededError, ReadError, Reason, UnsupportedImageError
from dedupindex.records import Failure, FoundFile, SkippedFile
from dedupindex.settings import Settings
from dedupindex.sources import Finder, decode_file, read_bytes, status_of
from dedupindex.sources.archives import opening, streams
from dedupindex.sources.archives.limits import ArchiveLimits
from dedupindex.sources.reasons import read_error
from tests.pictures import picture, save
from tests.sources.archives.making import KINDS, seven_of, tar_of, write, zip_of
from tests.sources.mutants import mutants

LIMIT = 1 << 20


@pytest.fixture(autouse=True)
def _closed():
    yield
    opening.forget_archives()


@pytest.fixture
def png(tmp_path):
    return save(tmp_path / "loose" / "p.png", picture(1)).read_bytes()


@pytest.mark.parametrize("kind", KINDS)
@given(
    members=st.dictionaries(
        st.text("abc./ä", min_size=1, max_size=6).map(lambda name: f"d/{name.strip('./')}x.png"),
        st.one_of(st.binary(max_size=3000), st.integers(1, 9).map(lambda n: bytes(100_000 * n))),
        min_size=1,
        max_size=6,
    )
)
@settings(max_examples=8, deadline=None)
def test_members_come_out_as_they_went_in(tmp_path_factory, kind, members):
    path = write(tmp_path_factory.mktemp("a") / f"a.{kind}", list(members.items()))
    contents = opening.scan(path)
    assert contents.damage is None
    names = list(contents.members)
    assert {name: member.size for name, member in contents.members.items()} == {
        opening.shards.safe_name(name): len(data) for name, data in members.items()
    }
    wanted = {opening.shards.safe_name(name): data for name, data in members.items()}
    random.Random(1).shuffle(names)
    for name in names:  # in any order
        assert opening.read_member(path / name, LIMIT)[0] == wanted[name]
    opening.read_together([path / name for name in names])
    for name in names:
        assert opening.read_member(path / name, LIMIT)[0] == wanted[name]
    opening.forget_archives()


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_walk_tells_of_an_archive(tmp_path, png, kind):
    folder = tmp_path / "f"
    folder.mkdir()
    members = [
        ("a/one.png", png),
        ("a/one.txt", b"hello"),
        ("abs.png", png),
        (".hidden.png", png),
        ("a/one.mask.png", png),
        ("inner.zip", zip_of([("x.png", png)])),
        ("inner.tar.gz", b"x"),
    ]
    path = write(folder / f"s.{kind}", members)
    found = list(Finder([folder]))
    files = {str(item.path.relative_to(path)): item for item in found if isinstance(item, FoundFile)}
    assert sorted(files) == ["a/one.png", "abs.png"]
    assert {item.size for item in files.values()} == {len(png)}
    assert len({item.inode for item in files.values()}) == 2
    assert files["a/one.png"].masked
    assert not files["abs.png"].masked
    why = sorted(item.why for item in found if isinstance(item, SkippedFile))
    assert why == ["hidden", "mask_file", "nested_archive", "nested_archive", "not_an_image"]
    for item in files.values():
        data, status = read_bytes(item.path, LIMIT, item)
        assert data == png
        assert status_of(item.path) == status
    assert list(folder.iterdir()) == [path]  # nothing was unpacked
    decoded = decode_file(files["abs.png"].path, Settings(), file=files["abs.png"])
    assert decoded.frames[0].full_shape == (120, 160)


def test_the_bytes_say_which_kind_it_is(tmp_path, png):
    (tmp_path / "a.cbr").write_bytes(zip_of([("p.png", png)]))
    (tmp_path / "b.zip").write_bytes(gzip.compress(tar_of([("p.png", png)])))
    found = {item.path.parent.name: item for item in Finder([tmp_path]) if item.path.name == "p.png"}
    assert sorted(found) == ["a.cbr", "b.zip", "loose"]
    assert read_bytes(found["a.cbr"].path, LIMIT, found["a.cbr"])[0] == png
    assert read_bytes(found["b.zip"].path, LIMIT, found["b.zip"])[0] == png


@pytest.mark.parametrize("name", ["a.zip", "a.7z", "a.cbr", "a.tar", "a.tar.gz"])
def test_what_is_no_archive_is_damaged(tmp_path, name):
    (tmp_path / name).write_bytes(b"just some words, no archive at all" * 40)
    [failure] = Finder([tmp_path])
    assert (failure.reason, failure.path) == (Reason.DAMAGED, tmp_path / name)


@pytest.mark.parametrize("name", ["a.rar", "a.cbr"])
def test_rar_is_refused_in_words(tmp_path, name):
    (tmp_path / name).write_bytes(b"Rar!\x1a\x07\x01\x00" + bytes(100))
    [failure] = Finder([tmp_path])
    assert (failure.reason, failure.path) == (Reason.UNSUPPORTED, tmp_path / name)
    assert "RAR" in failure.detail


@pytest.mark.parametrize("kind", ["tar.zst", "7z"])
def test_without_its_package_the_extra_is_named(tmp_path, png, kind, monkeypatch):
    path = write(tmp_path / f"a.{kind}", [("p.png", png)])
    for module in ("zstandard", "py7zr"):
        monkeypatch.setitem(__import__("sys").modules, module, None)
    failure = next(item for item in Finder([path]))
    assert failure.reason is Reason.UNSUPPORTED
    assert "extra 'archives'" in failure.detail


def test_an_encrypted_member_costs_only_itself(tmp_path, png):
    data = bytearray(zip_of([("a.png", png), ("b.png", png)]))
    for at in (data.find(b"PK\3\4") + 6, data.find(b"PK\1\2") + 8):
        data[at] |= 1  # the flag, in both places
    path = tmp_path / "a.zip"
    path.write_bytes(data)
    first, second = (item for item in Finder([path]) if isinstance(item, FoundFile))
    with pytest.raises(UnsupportedImageError) as caught:
        read_bytes(first.path, LIMIT, first)
    assert "is encrypted" in caught.value.detail
    assert read_bytes(second.path, LIMIT, second)[0] == png


def test_encrypted_7z_is_told(tmp_path, png):
    for number, options in enumerate(({"password": "x"}, {"password": "x", "header_encryption": True})):
        path = tmp_path / f"{number}.7z"
        path.write_bytes(seven_of([("a.png", png)], **options))
        with pytest.raises(UnsupportedImageError) as caught:
            read_bytes(path / "a.png", LIMIT)
        assert "is encrypted" in caught.value.detail


# ------------------------------------------------------------------------------------------------------- bombs
def test_a_member_that_grows_too_much_is_refused(tmp_path):
    path = tmp_path / "a.zip"
    path.write_bytes(zip_of([("a.png", bytes(150_000_000))]))  # ratio 1000
    with pytest.raises(LimitExceededError) as caught:
        read_bytes(path / "a.png", 1 << 30)
    assert "max_ratio is 250" in caught.value.detail


def test_members_that_lie_over_each_other_are_refused(tmp_path, png):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.png", png)
        for number in range(50):
            again = zipfile.ZipInfo(f"{number}.png")
            info = archive.filelist[0]
            again.header_offset, again.file_size, again.compress_size = 0, info.file_size, info.compress_size
            again.CRC = info.CRC
            archive.filelist.append(again)
    path = tmp_path / "a.zip"
    path.write_bytes(stream.getvalue())
    [failure] = Finder([path])
    assert failure.reason is Reason.TOO_LARGE
    assert "over each other" in failure.detail


def test_an_absurd_directory_is_refused(tmp_path):
    end = b"PK\5\6" + bytes(4) + (0xFFFF).to_bytes(2, "little") * 2 + (10).to_bytes(4, "little") + bytes(6)
    path = tmp_path / "a.zip"
    path.write_bytes(b"PK\3\4" + bytes(100) + end)
    with pytest.raises(LimitExceededError) as caught:
        opening.scan(path, ArchiveLimits(members=1000))
    assert caught.value.reason is Reason.TOO_MANY_FRAMES


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "7z"])
def test_too_many_members_are_refused(tmp_path, kind):
    path = write(tmp_path / f"a.{kind}", [(f"{n}.png", b"x") for n in range(30)])
    found = list(Finder([path], limits=ArchiveLimits(members=20)))
    failures = [item for item in found if isinstance(item, Failure)]
    assert [failure.reason for failure in failures] == [Reason.TOO_MANY_FRAMES]
    assert len(found) <= 21


@pytest.mark.parametrize("kind", ["tar.gz", "tar.bz2", "tar.xz", "tar.zst"])
def test_a_stream_that_grows_too_much_is_refused(tmp_path, kind, monkeypatch):
    monkeypatch.setattr(streams, "FREE_BYTES", 1 << 20)
    path = write(tmp_path / f"a.{kind}", [("small.png", b"x"), ("a.bin", bytes(60_000_000)), ("b.png", b"x")])
    found = list(Finder([path], limits=ArchiveLimits(ratio=100)))
    [failure] = [item for item in found if isinstance(item, Failure)]
    assert failure.reason is Reason.TOO_LARGE
    assert "max_ratio is 100" in failure.detail
    with pytest.raises(LimitExceededError):
        opening.find_member(path / "b.png", ArchiveLimits(ratio=100))


def test_a_7z_that_grows_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("dedupindex.sources.archives.limits.FREE_BYTES", 1 << 20)
    path = write(tmp_path / "a.7z", [("a.png", bytes(60_000_000))])
    with pytest.raises(LimitExceededError):
        opening.scan(path)


# ------------------------------------------------------------------------------------------------------- streams
def test_going_back_in_a_gzip_stream_unpacks_little(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    members = [(f"{n:03}.png", rng.bytes(100_000)) for n in range(60)]
    path = write(tmp_path / "a.tar.gz", members)
    monkeypatch.setattr(streams, "MARK_EVERY", 500_000)
    opening.scan(path)
    unpacked = []
    step = streams.Inflated._step
    monkeypatch.setattr(streams.Inflated, "_step", lambda self: unpacked.append(piece := step(self)) or piece)
    assert opening.read_member(path / "030.png", LIMIT)[0] == members[30][1]
    assert 100_000 <= sum(map(len, unpacked)) < 1_500_000


@pytest.mark.parametrize("kind", ["tar.xz", "tar.gz", "7z"])
def test_members_that_are_read_together_take_one_pass(tmp_path, kind, monkeypatch):
    members = [(f"{n:03}.png", np.random.default_rng(n).bytes(20_000)) for n in range(40)]
    path = write(tmp_path / f"a.{kind}", members)
    wanted = [path / f"{n:03}.png" for n in (30, 3, 17)]
    opening.read_together(wanted)
    monkeypatch.setattr(opening._TarMembers, "read", None)  # nothing is read any more
    monkeypatch.setattr(opening.SevenZipMembers, "read", None)
    for place in (*wanted, path / "039.png"):  # a small archive is held as a whole
        assert opening.read_member(place, LIMIT)[0] == dict(members)[place.name]


def test_no_more_is_held_than_may_be(tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "HELD_BYTES", 50_000)
    members = [(f"{n:03}.png", np.random.default_rng(n).bytes(20_000)) for n in range(10)]
    path = write(tmp_path / "a.tar.xz", members)
    opening.read_together([path / name for name, _ in members])
    assert sorted(opening._open[path].held) == ["000.png", "001.png"]
    for name, data in members:
        assert opening.read_member(path / name, LIMIT)[0] == data


def test_gzip_streams_one_after_the_other_are_one(tmp_path, png):
    data = tar_of([("a.png", png), ("b.png", png[::-1])])
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzip.compress(data[:700]) + gzip.compress(data[700:]) + bytes(512))
    assert read_bytes(path / "b.png", LIMIT)[0] == png[::-1]


def test_an_archive_that_changes_after_the_walk_is_noticed(tmp_path, png):
    for kind in ("zip", "tar.gz", "7z"):
        path = write(tmp_path / f"a.{kind}", [("a.png", png)])
        [found] = Finder([path])
        os.utime(path, ns=(1, 1))
        with pytest.raises(ReadError) as caught:
            read_bytes(found.path, LIMIT, found)
        assert caught.value.reason is Reason.CHANGED_WHILE_READ


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "tar.bz2", "tar.xz", "tar.zst", "7z"])
def test_damaged_archives_give_words_and_no_other_error(tmp_path, png, kind):
    members = [("a.png", png), ("b/c.txt", b"hello" * 100), ("d.png", png[::-1])]
    data = KINDS[kind](members)
    path = tmp_path / f"a.{kind}"
    read = 0
    for number, mutant in enumerate(mutants(data, 150)):
        path.write_bytes(mutant)
        os.utime(path, ns=(number, number))
        for item in Finder([path], limits=ArchiveLimits(members=1000)):
            if isinstance(item, Failure):
                _is_plain(item.detail)
            elif isinstance(item, FoundFile):
                try:
                    read_bytes(item.path, LIMIT, item)
                    read += 1
                except ReadError as error:
                    _is_plain(error.detail)
                except Exception as error:  # `decode_file` puts these into words
                    _is_plain(read_error(item.path, error).detail)
    assert read or kind == "tar.bz2"  # whose checksums notice everything


def _is_plain(words: str) -> None:
    assert words
    assert "Error" not in words
    assert "Exception" not in words
    assert "Traceback" not in words
