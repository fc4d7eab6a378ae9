import json

import numpy as np
import pytest

from dedupindex import Index
from dedupindex.errors import Reason
from dedupindex.execution.tasks import FileTask
from dedupindex.ingest.describing import describe_files
from dedupindex.places import FIRST_PICTURE, fragment_of, panel_number, split_fragment
from dedupindex.settings import PdfMode, Settings
from dedupindex.sources import decode_file
from dedupindex.sources.readers import pdf as reading
from dedupindex.store.rows import FileState
from tests.pictures import picture
from tests.sources.readers import making
from tests.sources.reading import fails, only

pytest.importorskip("pypdfium2")

PIXELS = [picture(seed, 120, 160) for seed in range(4)]
JPEGS = [making.encoded(pixels, quality=95) for pixels in PIXELS]
PICTURES = Settings(pdf=PdfMode.PICTURES)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "paper.pdf"


def near(one, other):
    return np.corrcoef(one.astype(float).ravel(), other.astype(float).ravel())[0, 1]


def test_pages_are_frames(path):
    path.write_bytes(making.pdf(JPEGS))
    decoded = decode_file(path, Settings(), min_side=None)
    assert (decoded.format, decoded.frame_count) == ("PDF", 4)
    assert [frame.number for frame in decoded.frames] == [0, 1, 2, 3]
    for frame, pixels in zip(decoded.frames, PIXELS, strict=True):
        assert frame.full_shape == (250, 334)  # 150 pixels an inch of 120 x 160 points
        y, x = (np.linspace(0, side - 1, count).astype(int) for side, count in zip((250, 334), (120, 160), strict=True))
        assert near(frame.pixels[np.ix_(y, x)], pixels) > 0.9
    assert only(path, frame=2).number == 2
    assert "4 pages" in fails(path, Reason.MISSING, frame=4).detail


def test_pages_are_rendered_smaller_where_less_is_needed(path):
    path.write_bytes(making.pdf([making.encoded(picture(1, 600, 800))]))
    frame = only(path, min_side=100)
    assert (max(frame.pixels.shape), frame.full_shape) == (200, (1250, 1667))


def test_embedded_pictures_come_as_they_are(path):
    path.write_bytes(making.pdf([JPEGS[0], None, JPEGS[1], JPEGS[0]]))  # one of them twice
    decoded = decode_file(path, PICTURES, min_side=None)
    assert decoded.numbers == (0, 1, 2, 3, FIRST_PICTURE, FIRST_PICTURE + 1)
    assert [frame.number for frame in decoded.frames] == list(decoded.numbers)
    plain = path.with_name("plain.jpg")
    for frame, jpeg in zip(decoded.frames[4:], JPEGS, strict=False):
        plain.write_bytes(jpeg)
        assert np.array_equal(frame.pixels, only(plain, min_side=None).pixels)
    single = only(path, frame=FIRST_PICTURE + 1)  # whatever the setting is
    assert np.array_equal(single.pixels, decoded.frames[5].pixels)
    assert "2 pictures" in fails(path, Reason.MISSING, frame=FIRST_PICTURE + 2).detail


def test_a_document_that_is_read_in_parts_gives_the_same(path, monkeypatch):
    path.write_bytes(making.pdf([*JPEGS, None, *JPEGS[:2]]))
    whole = {image.frame: image for image in described(path)}
    monkeypatch.setattr(reading, "PART_BYTES", 3 * 4 * 384 * 384 * 2)  # two frames a part
    parts = {image.frame: image for image in described(path)}
    assert sorted(whole) == [0, 1, 2, 3, 4, 5, 6, *range(FIRST_PICTURE, FIRST_PICTURE + 4)]
    assert parts == whole


def described(path):
    """Images of a file, of all its tasks."""
    status = path.stat()
    tasks = [FileTask(FileState(path, status.st_size, status.st_mtime_ns, status.st_ino), PICTURES)]
    images = []
    while tasks:
        [result] = describe_files([tasks.pop()])
        assert result.failure is None
        images += result.images
        tasks += result.rest
    return images


def test_a_password_is_told(path):
    data = making.pdf(JPEGS[:1])
    trailer = b"/Encrypt << /Filter /Standard /V 1 /R 2 /O <" + b"00" * 32 + b"> /U <" + b"11" * 32 + b"> /P -4 >>"
    path.write_bytes(data.replace(b"/Root 1 0 R", b"/Root 1 0 R /ID [<00> <00>] " + trailer))
    assert "password" in fails(path, Reason.UNSUPPORTED).detail


def test_what_is_no_document_is_damaged(path):
    path.write_bytes(b"%PDF-1.4\n" + bytes(100))
    fails(path, Reason.DAMAGED)


# ------------------------------------------------------------------------------------------------------- bombs
def test_a_page_as_large_as_a_house_is_rendered_small(path):
    path.write_bytes(making.pdf(JPEGS[:1]).replace(b"[0 0 160 120]", b"[0 0 14400 14400]"))
    frame = only(path, min_side=None)
    assert frame.full_shape == (reading.LONGEST_SIDE, reading.LONGEST_SIDE)


def test_a_page_that_is_a_line_is_refused(path):
    path.write_bytes(making.pdf(JPEGS[:1]).replace(b"[0 0 160 120]", b"[0 0 14000 1]"))
    assert "max_aspect" in fails(path, Reason.DAMAGED).detail


def test_too_many_pages_are_refused(path):
    path.write_bytes(making.pdf([None] * 30))
    fails(path, Reason.TOO_MANY_FRAMES, Settings(max_frames=20))


def test_an_embedded_picture_that_announces_too_much_costs_only_itself(path):
    path.write_bytes(making.pdf(JPEGS[:1]).replace(b"/Width 160 /Height 120", b"/Width 60000 /Height 60000"))
    decoded = decode_file(path, PICTURES)
    assert [frame.number for frame in decoded.frames] == [0]
    assert any("60000 x 60000" in words for words in decoded.warnings)


def test_without_the_package_its_extra_is_named(path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pypdfium2", None)
    path.write_bytes(making.pdf(JPEGS))
    assert "extra 'pdf'" in fails(path, Reason.UNSUPPORTED).detail


# ------------------------------------------------------------------------------------------------------ panels
def figure_page(count=4):
    """A page of so many pictures with white gutters, as a JPEG."""
    page = np.full((480, 620, 3), 255, np.uint8)
    for number in range(count):
        top, left = 20 + number // 2 * 230, 20 + number % 2 * 300
        page[top : top + 210, left : left + 280] = np.clip(picture(number + 10, 210, 280), 30, 220)
    return making.encoded(page, quality=95)


def test_panels_of_pages_are_frames_on_request(path):
    path.write_bytes(making.pdf([JPEGS[0], figure_page(), None, figure_page()]))
    assert len(decode_file(path, Settings()).frames) == 4
    decoded = decode_file(path, Settings(panels=True))
    cut = [panel_number(page, panel) for page in (1, 3) for panel in range(4)]
    assert [frame.number for frame in decoded.frames] == [0, 1, 2, 3, *cut] == list(decoded.numbers)
    assert decoded.frame_count == 4
    for frame in decoded.frames[4:]:
        address = f"{path}{fragment_of(path, frame.number)}"
        where, number = split_fragment(address)
        assert (where, number) == (str(path), frame.number)
        assert np.array_equal(only(path, frame=number).pixels, frame.pixels)  # whatever the setting is
    assert fragment_of(path, cut[5]) == "#page=4&panel=2"
    assert "page 2 has 4" in fails(path, Reason.MISSING, frame=panel_number(1, 4)).detail
    assert "4 pages" in fails(path, Reason.MISSING, frame=panel_number(4, 0)).detail


@pytest.mark.parametrize(
    "wrong", ["#page=0&panel=1", "#page=1&panel=0", "#page=1&panel=401", "#page=999999999&panel=1"]
)
def test_numbers_that_no_panel_has(path, wrong):
    assert split_fragment(f"{path}{wrong}") == (f"{path}{wrong}", None)


def test_panels_count_as_frames(path):
    path.write_bytes(making.pdf([figure_page(), figure_page()]))
    settings = Settings(panels=True, max_frames=9)
    assert "10 frames" in fails(path, Reason.TOO_MANY_FRAMES, settings).detail
    assert len(decode_file(path, Settings(panels=True, max_frames=10)).frames) == 10


@pytest.mark.parametrize("part_bytes", [1, 3 * 1300 * 1300 * 3])
def test_panels_in_parts(path, monkeypatch, part_bytes):
    """Every page and panel is described once, however few are in memory at once."""
    path.write_bytes(making.pdf([JPEGS[0], figure_page(), figure_page(3), JPEGS[1]]))
    settings = Settings(panels=True)
    whole = [frame.number for frame in decode_file(path, settings).frames]
    monkeypatch.setattr(reading, "PART_BYTES", part_bytes)
    status = path.stat()
    tasks = [FileTask(FileState(path, status.st_size, status.st_mtime_ns, status.st_ino), settings)]
    seen = []
    while tasks:
        [result] = describe_files([tasks.pop()])
        assert result.failure is None
        seen += [image.frame for image in result.images]
        tasks += result.rest
    assert sorted(seen) == whole


def test_panels_of_a_document_by_its_commands(path, run):
    """Every command takes the address of a panel back; the document stays."""
    folder = path.parent / "in"
    folder.mkdir()
    paper = folder / "paper.pdf"
    paper.write_bytes(making.pdf([JPEGS[0], figure_page()]))
    original = folder / "original.png"
    original.write_bytes(making.encoded(np.clip(picture(11, 210, 280), 30, 220), "PNG"))
    database = path.parent / "a.db"
    address = f"{paper}#page=2&panel=2"
    elsewhere = path.parent / "elsewhere"
    elsewhere.mkdir()

    def said(*arguments):
        done = run(*map(str, arguments), cwd=elsewhere)  # from where addresses are shown whole
        assert done.returncode in (0, 1), (arguments, done.stdout, done.stderr)
        return done.stdout

    at = ("-d", database)
    said("ingest", *at, folder, "--panels", "--workers", 1)
    assert address in said("query", *at, original)
    assert str(original) in said("query", *at, address)
    said("scan", *at, folder, "--workers", 1)
    page = path.parent / "report.html"
    assert address in said("report", *at)
    said("report", *at, "--html", page)
    assert "#page=2&amp;panel=2" in page.read_text()
    assert "data:image" in page.read_text()
    assert "the same" in said("compare", address, original)
    plan = path.parent / "plan.json"
    said("plan", *at, "-o", plan, "--relation", "resized", "--relation", "reencoded", "--prefer", folder)
    assert json.loads(plan.read_text())["items"] == []
    said("prove", *at)
    said("rebuild", *at, "--describe")
    assert address in said("query", *at, original)
    said("forget", *at, paper)
    assert "panel=2" not in said("query", *at, original)
    assert paper.exists()


def test_a_picture_that_is_used_twice_in_one_document_is_found(tmp_path):
    (tmp_path / "paper.pdf").write_bytes(making.pdf([figure_page(4), figure_page(2)]))
    with Index.open(tmp_path / "a.db", create=True, workers=1, panels=True) as index:
        index.ingest([tmp_path / "paper.pdf"])
        both = [(pair.a.locations[0].address, pair.b.locations[0].address) for pair in index.report().pairs]
    pairs = [[address.partition("#")[2] for address in addresses] for addresses in both]
    assert sorted(map(sorted, pairs)) == [["page=1&panel=1", "page=2&panel=1"], ["page=1&panel=2", "page=2&panel=2"]]
