import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedupindex.errors import LimitExceededError, ReadError, Reason
from dedupindex.records import Failure, FoundFile, SkippedFile
from dedupindex.settings import Settings
from dedupindex.sources import Finder, decode_file, read_bytes, status_of
from dedupindex.sources.shards import safe_name, scan, status_of_shard
from tests.pictures import picture, save

LIMIT = 1 << 20


def shard(path: Path, members, **options) -> Path:
    """A tar of (name, bytes) or TarInfo members."""
    with tarfile.open(path, "w", **options) as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
                continue
            item = tarfile.TarInfo(member[0])
            item.size = len(member[1])
            archive.addfile(item, io.BytesIO(member[1]))
    return path


def link(name: str, kind: bytes) -> tarfile.TarInfo:
    item = tarfile.TarInfo(name)
    item.type, item.linkname = kind, "/etc/passwd"
    return item


@pytest.fixture
def png(tmp_path):
    return save(tmp_path / "loose" / "p.png", picture(1)).read_bytes()


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(codec="utf-8", exclude_characters="\0/"), min_size=1, max_size=120)
            .filter(lambda name: name not in (".", ".."))
            .map(lambda name: name + ".png"),
            st.binary(min_size=1, max_size=2000),
        ),
        max_size=8,
    ),
    st.sampled_from([tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
)
@settings(max_examples=60, deadline=None)
def test_members_are_what_tarfile_extracts(tmp_path_factory, members, kind):
    path = tmp_path_factory.mktemp("t") / "s.tar"
    try:
        shard(path, members, format=kind)
    except (ValueError, UnicodeError):
        return  # a name too long for this kind of tar
    contents = scan(path, status_of_shard(path))
    assert contents.damage is None
    expected = {safe_name(name): data for name, data in members}
    assert {name: read_bytes(path / name, LIMIT)[0] for name in contents.members} == expected


@pytest.mark.parametrize(
    ("name", "safe"),
    [("./a.jpg", "a.jpg"), ("/etc/x", "etc/x"), ("../../x", "%2e%2e/%2e%2e/x"), ("a//b/./c", "a/b/c"), ("./", "")],
)
def test_no_name_leads_out_of_its_shard(name, safe):
    assert safe_name(name) == safe


def test_what_a_walk_tells_of_a_shard(tmp_path, png):
    members = [
        ("./a/one.png", png),
        ("a/one.cls", b"7"),
        ("../out.png", png),
        ("/abs.png", png),
        ("noname", png),
        (".hidden.png", png),
        ("a/one.mask.png", png),
        link("dir", tarfile.DIRTYPE),
        link("sym.png", tarfile.SYMTYPE),
        link("dev.png", tarfile.CHRTYPE),
    ]
    path = shard(tmp_path / "s.tar", members)
    before = sorted(p.name for p in tmp_path.rglob("*"))
    found = list(Finder([path]))
    files = {str(item.path.relative_to(path)): item for item in found if isinstance(item, FoundFile)}
    assert sorted(files) == ["%2e%2e/out.png", "a/one.png", "abs.png", "noname"]
    assert {item.size for item in files.values()} == {len(png)}
    assert {item.mtime_ns for item in files.values()} == {path.stat().st_mtime_ns}
    assert len({item.inode for item in files.values()}) == 4
    assert files["a/one.png"].masked
    assert not files["abs.png"].masked
    why = sorted(item.why for item in found if isinstance(item, SkippedFile))
    assert why == ["hidden", "mask_file", "not_an_image", "not_regular", "not_regular", "not_regular"]
    for item in files.values():
        data, status = read_bytes(item.path, LIMIT, item)
        assert data == png
        assert (status.size, status.mtime_ns, status.inode) == (item.size, item.mtime_ns, item.inode)
        assert status_of(item.path) == status
    assert sorted(p.name for p in tmp_path.rglob("*")) == before  # nothing was unpacked


def test_a_mask_in_the_shard_masks_its_picture(tmp_path, png):
    mask = np.zeros((120, 160), np.uint8)
    mask[:60] = 255
    masking = save(tmp_path / "m.png", mask).read_bytes()
    path = shard(tmp_path / "s.tar", [("p.png", png), ("p.mask.png", masking)])
    [item] = [item for item in Finder([path]) if isinstance(item, FoundFile)]
    for found in (item, None):  # told by the walk, and looked for
        [frame] = decode_file(item.path, Settings(), file=found).frames
        assert frame.mask[:60].all()
        assert not frame.mask[60:].any()


def test_a_single_member_and_a_folder_of_members_can_be_named(tmp_path, png):
    path = shard(tmp_path / "s.tar", [("a/1.png", png), ("a/2.png", png), ("b/3.png", png)])
    assert [item.path.name for item in Finder([path / "b" / "3.png"])] == ["3.png"]
    assert [item.path.name for item in Finder([path / "a"])] == ["1.png", "2.png"]
    [failure] = Finder([path / "none.png"])
    assert (failure.path, failure.reason) == (path / "none.png", Reason.MISSING)


def test_of_two_members_of_one_name_the_later_counts(tmp_path):
    path = shard(tmp_path / "s.tar", [("a.png", b"first"), ("a.png", b"second")])
    assert read_bytes(path / "a.png", LIMIT)[0] == b"second"


def test_a_truncated_shard_keeps_what_is_before_the_end(tmp_path, png):
    whole = shard(tmp_path / "w.tar", [(f"{n}.png", png) for n in range(4)]).read_bytes()
    for end in (len(png) // 2, 2 * len(png), 3 * len(png) + 700):
        path = tmp_path / f"t{end}.tar"
        path.write_bytes(whole[:end])
        found = list(Finder([path]))
        [failure] = [item for item in found if isinstance(item, Failure)]
        assert failure.path == path
        assert failure.reason in (Reason.TRUNCATED, Reason.DAMAGED)
        files = [item for item in found if isinstance(item, FoundFile)]
        assert len(files) == end // (len(png) + 1024)
        assert all(read_bytes(item.path, LIMIT, item)[0] == png for item in files)


@pytest.mark.parametrize("junk", [b"", b"hello" * 999, b"\0" * 511, b"\xff" * 4096])
def test_what_is_no_tar_is_a_failure(tmp_path, junk):
    path = tmp_path / "j.tar"
    path.write_bytes(junk)
    [failure] = Finder([path])
    assert (failure.path, failure.reason) == (path, Reason.DAMAGED if junk else Reason.EMPTY)


def test_garbage_between_members_is_told(tmp_path, png):
    data = bytearray(shard(tmp_path / "s.tar", [("a.png", png), ("b.png", png)]).read_bytes())
    second = 512 + -(-len(png) // 512) * 512
    data[second : second + 512] = b"x" * 512
    (tmp_path / "s.tar").write_bytes(data)
    found = list(Finder([tmp_path / "s.tar"]))
    assert [type(item) for item in found] == [Failure, FoundFile]


def test_a_number_in_a_header_costs_no_memory(tmp_path):
    item = tarfile.TarInfo("x")
    item.type, item.size = tarfile.XHDTYPE, 1 << 33
    path = tmp_path / "s.tar"
    with path.open("wb") as file:
        file.write(item.tobuf(tarfile.GNU_FORMAT))
        file.truncate((1 << 33) + 10_240)  # sparse: a reader that believes it allocates 8 GiB
    [failure] = Finder([path])
    assert "header of" in failure.detail


def test_a_tar_in_a_compression_that_is_not_read_is_a_failure(tmp_path):
    (tmp_path / "s.tar.lz4").write_bytes(b"\x04\x22\x4d\x18" + bytes(40))
    [failure] = Finder([tmp_path])
    assert failure.reason is Reason.UNSUPPORTED
    assert "lz4" in failure.detail


def test_a_folder_named_like_a_shard_is_a_folder(tmp_path):
    save(tmp_path / "d.tar" / "p.png", picture(1))
    [found] = Finder([tmp_path])
    assert found.offset is None
    assert read_bytes(found.path, LIMIT)[0]
    with pytest.raises(ReadError) as caught:
        read_bytes(tmp_path / "d.tar" / "none.png", LIMIT)
    assert caught.value.reason is Reason.MISSING


def test_a_shard_that_changes_after_the_walk_is_noticed(tmp_path, png):
    path = shard(tmp_path / "s.tar", [("a.png", png)])
    [found] = Finder([path])
    shard(path, [("b.png", png + b"more"), ("a.png", png)])
    with pytest.raises(ReadError) as caught:
        read_bytes(found.path, LIMIT, found)
    assert caught.value.reason is Reason.CHANGED_WHILE_READ


def test_limits_hold_for_members(tmp_path, png):
    path = shard(tmp_path / "s.tar", [("a.png", png)])
    with pytest.raises(LimitExceededError):
        read_bytes(path / "a.png", len(png) - 1)
