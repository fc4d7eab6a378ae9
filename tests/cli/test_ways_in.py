"""One picture inside every kind of container and in every format, through the command line: one group."""

import gzip
import hashlib
import json
import shutil

import numpy as np
import pytest

from tests.pictures import picture, save
from tests.sources.archives.making import write, zip_of
from tests.sources.readers import making

PIXELS = picture(1, 240, 320)
ARCHIVES = ("zip", "cbz", "tar", "tar.gz", "tar.bz2", "tar.xz", "tar.zst", "7z")
PLACES = {
    "plain.jpg", "paper.pdf#page=3", "paper.pdf#picture=3", "clip.mp4#t=3", "pic.jxl", "pic.qoi", "pic.jls", "pic.exr",
    "pic.hdr", "pic.dng", "pic.heic", "pic.svg", "pic.svgz", "pic.npz", *(f"in.{kind}/a/pic.jpg" for kind in ARCHIVES),
}  # fmt: skip


def fill(folder):
    """The picture in everything that is read, and other pictures beside it."""
    folder.mkdir()
    jpeg = making.encoded(PIXELS, quality=85)
    for number, kind in enumerate(ARCHIVES):
        inside = making.encoded(PIXELS, quality=80 + number)
        write(folder / f"in.{kind}", [("a/note.txt", b"hello"), ("a/pic.jpg", inside), ("more.zip", zip_of([]))])
    others = [making.encoded(picture(seed, 240, 320)) for seed in (500, 501)]
    light = making.linear(PIXELS)
    files = {
        "plain.jpg": making.encoded(PIXELS, quality=92),
        "paper.pdf": making.pdf([*others, jpeg]),
        "clip.mp4": making.clip_with(PIXELS),
        "pic.jxl": making.jpeg_xl(PIXELS),
        "pic.qoi": making.qoi(PIXELS),
        "pic.jls": making.jpeg_ls(PIXELS),
        "pic.exr": making.exr(light),
        "pic.hdr": making.hdr(light),
        "pic.dng": making.dng(PIXELS),
        "pic.svg": making.svg(PIXELS),
        "pic.svgz": gzip.compress(making.svg(PIXELS)),
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    pytest.importorskip("pillow_heif").register_heif_opener(thumbnails=False)
    save(folder / "pic.heic", PIXELS, quality=90)
    np.savez_compressed(folder / "pic.npz", PIXELS)
    return folder


def digests(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def scanned(run, tmp_path_factory):
    for module in ("imagecodecs", "rawpy", "py7zr", "zstandard", "pypdfium2", "av", "resvg_py"):
        pytest.importorskip(module)
    folder = tmp_path_factory.mktemp("ways")
    fill(folder / "one")
    done = run("-d", "p.db", "scan", "one", "--pdf", "pictures", cwd=folder, code=0)
    return folder, done.stdout


def test_one_group_each_with_its_place(run, scanned):
    folder, text = scanned
    assert "1 duplicate group with" in text
    assert "nested archive" in text
    [group] = json.loads(run("-d", "p.db", "report", "--json", cwd=folder).stdout)["groups"]
    shown = {word for line in text.splitlines() for word in line.split() if word.startswith("one/")}
    assert {f"one/{place}" for place in PLACES} <= shown
    assert len({place["path"] for member in group["members"] for place in member["locations"]}) == 21


def test_what_was_read_is_not_read_again(run, scanned):
    folder, _ = scanned
    again = run("-d", "p.db", "ingest", "one", "--pdf", "pictures", cwd=folder, code=0)
    assert "0 read, 21 unchanged" in again.stdout


@pytest.mark.parametrize(
    "place", ["in.zip/a/pic.jpg", "in.tar.xz/a/pic.jpg", "in.7z/a/pic.jpg", "paper.pdf#picture=3", "clip.mp4#t=3.25"]
)
def test_a_place_can_be_asked_for(run, scanned, place):
    folder, _ = scanned
    done = run("-d", "p.db", "query", f"one/{place}", "--limit", "30", cwd=folder, code=0)
    assert "one/plain.jpg" in done.stdout
    compared = run("compare", f"one/{place}", "one/plain.jpg", cwd=folder, code=0)
    assert "the same picture" in compared.stdout.splitlines()[0]


def test_no_container_ever_goes(run, scanned, tmp_path):
    folder, _ = scanned
    kept = {"in.zip", "in.tar", "in.tar.gz", "in.7z", "single.pdf", "clip.mp4"}
    (tmp_path / "one").mkdir()
    for name in (*kept - {"single.pdf"}, "plain.jpg", "paper.pdf", "pic.jxl"):
        shutil.copyfile(folder / "one" / name, tmp_path / "one" / name)
    shutil.copyfile(tmp_path / "one" / "plain.jpg", tmp_path / "one" / "copy.jpg")
    shutil.copyfile(tmp_path / "one" / "paper.pdf", tmp_path / "one" / "copy.pdf")
    (tmp_path / "one" / "single.pdf").write_bytes(making.pdf([making.encoded(PIXELS)]))
    run("-d", "p.db", "scan", "one", cwd=tmp_path, code=0)
    run("-d", "p.db", "plan", "--relation", "copy", "--action", "trash", "-o", "plan.json", cwd=tmp_path, code=0)
    planned = json.loads((tmp_path / "plan.json").read_text())
    gone = {item["file"]["path"].rpartition("/")[2] for item in planned["items"]}
    assert {"copy.pdf", "paper.pdf"} & gone  # the whole file has a copy with the same bytes
    assert gone & {"plain.jpg", "copy.jpg"}
    assert not {name for name in gone if name in kept or "pic.jpg" in name}
    before = digests(tmp_path / "one")
    run("-d", "p.db", "apply", "plan.json", "--yes", cwd=tmp_path, code=0)
    after = digests(tmp_path / "one")
    assert {name: before[name] for name in kept} == {name: after[name] for name in kept}


def test_members_vanish_with_their_archive_and_come_back(run, tmp_path):
    members = [("a.jpg", making.encoded(picture(1))), ("b.jpg", making.encoded(picture(2)))]
    (tmp_path / "set").mkdir()
    path = write(tmp_path / "set" / "s.tar.gz", members)
    save(tmp_path / "set" / "other.png", picture(7))
    run("-d", "p.db", "ingest", "set", cwd=tmp_path, code=0)
    assert "0 read, 3 unchanged" in run("-d", "p.db", "ingest", "set", cwd=tmp_path, code=0).stdout
    run("-d", "p.db", "forget", "set/s.tar.gz/b.jpg", cwd=tmp_path, code=0)
    assert "1 read, 2 unchanged" in run("-d", "p.db", "ingest", "set", cwd=tmp_path, code=0).stdout
    write(path, members[:1])
    assert "1 file gone" in run("-d", "p.db", "ingest", "set", cwd=tmp_path, code=0).stdout
    data = path.read_bytes()
    path.unlink()
    assert "gone" in run("-d", "p.db", "ingest", "set", cwd=tmp_path, code=0).stdout
    path.write_bytes(data)
    assert "1 read" in run("-d", "p.db", "ingest", "set", cwd=tmp_path, code=0).stdout
    assert "a.jpg" in run("-d", "p.db", "query", "set/s.tar.gz/a.jpg", cwd=tmp_path, code=0).stdout


def test_bad_archives_are_failures_in_words(run, tmp_path):
    (tmp_path / "set").mkdir()
    good = making.encoded(picture(1))
    encrypted = bytearray(zip_of([("a.jpg", good), ("b.jpg", good)]))
    for at in (encrypted.find(b"PK\3\4") + 6, encrypted.find(b"PK\1\2") + 8):
        encrypted[at] |= 1
    files = {
        "encrypted.zip": bytes(encrypted),
        "bomb.zip": zip_of([("a.jpg", bytes(150_000_000)), ("b.jpg", good)]),
        "broken.tar.gz": b"\x1f\x8b nothing",
        "cut.7z": b"7z\xbc\xaf\x27\x1c" + bytes(40),
        "comic.cbr": b"Rar!\x1a\x07\x01\0" + bytes(40),
        "nested.zip": zip_of([("inner.zip", zip_of([("a.jpg", good)])), ("b.jpg", good)]),
    }
    for name, data in files.items():
        (tmp_path / "set" / name).write_bytes(data)
    done = run("-d", "p.db", "ingest", "set", cwd=tmp_path, code=1)
    for words in (
        "set/encrypted.zip/a.jpg: unsupported: is encrypted",
        "set/bomb.zip/a.jpg: too_large: unpacks",
        "set/comic.cbr: unsupported: RAR archives are not read",
        "set/broken.tar.gz: damaged",
        "set/cut.7z: damaged",
    ):
        assert words in done.stderr, done.stderr
    assert "3 new" in done.stdout or "2 new copies" in done.stdout, done.stdout
    assert "1 nested archive" in done.stdout
    assert "Traceback" not in done.stderr


def test_two_videos(run, tmp_path):
    scenes = [(picture(seed, 120, 160), 1.5) for seed in range(8)]
    (tmp_path / "a.mp4").write_bytes(making.video(scenes))
    other = [(picture(50, 120, 160), 4.0), *scenes[2:6]]
    (tmp_path / "b.mp4").write_bytes(making.video(other, rate=25))
    (tmp_path / "c.mp4").write_bytes(making.video([(picture(90, 120, 160), 2.0)]))
    done = run("compare", "a.mp4", "b.mp4", "--json", cwd=tmp_path, code=0)
    clips = json.loads(done.stdout)["clips"]
    assert clips["share_a"] == pytest.approx(0.5, abs=0.1)
    assert clips["share_b"] == pytest.approx(0.6, abs=0.1)
    [part] = clips["parts"]
    assert part["a"] == pytest.approx([3, 8.5], abs=0.75)
    assert part["b"] == pytest.approx([4, 9.5], abs=0.75)
    text = run("compare", "a.mp4", "b.mp4", cwd=tmp_path, code=0).stdout
    assert "of a is in b" in text
    assert "the same picture" in text
    assert "nothing in common" in run("compare", "a.mp4", "c.mp4", cwd=tmp_path, code=0).stdout


def test_pictures_of_one_document_or_video_are_no_duplicates_of_each_other(run, tmp_path):
    jpegs = [making.encoded(picture(seed, 120, 160)) for seed in (1, 2)]
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "paper.pdf").write_bytes(making.pdf([jpegs[0], jpegs[1], jpegs[0]]))
    scenes = [(picture(seed, 120, 160), 1.0) for seed in (5, 6, 5)]
    (tmp_path / "set" / "clip.mp4").write_bytes(making.video(scenes))
    alone = run("-d", "p.db", "scan", "set", cwd=tmp_path, code=0).stdout
    assert "6 new pictures" in alone
    assert "no duplicates" in alone or "0 duplicate groups" in alone, alone
    (tmp_path / "set" / "loose.jpg").write_bytes(jpegs[0])
    (tmp_path / "set" / "still.png").write_bytes(making.encoded(scenes[1][0], "PNG"))
    both = run("-d", "p.db", "scan", "set", cwd=tmp_path, code=0).stdout
    assert "2 duplicate groups" in both
    for place in ("paper.pdf#page=1", "paper.pdf#page=3", "clip.mp4#t=1"):
        assert f"set/{place}" in both
