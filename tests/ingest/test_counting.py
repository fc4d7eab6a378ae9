"""How many files there are to read is known while they are read; and nothing is said where there are none."""

import threading
import zipfile

import pytest

from dedupindex import Index
from dedupindex.execution.progress import Progress
from tests.pictures import picture, save

pytestmark = pytest.mark.usefixtures("decoding_here", "remembered")


class Listener:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.said = []
        self.done = 0

    def start(self, total, what) -> None:
        self.said.append(("start", total, what))

    def expect(self, total) -> None:
        self.said.append(("expect", total))

    def advance(self, n) -> None:
        self.done += n

    def fail(self, n) -> None:
        self.said.append(("fail", n))

    def finish(self) -> None:
        self.said.append(("finish",))

    @property
    def expected(self):
        return [words[1] for words in self.said if words[0] == "expect"]


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "pictures"
    for number in range(6):
        save(root / f"{number}.png", picture(number, 40, 48))
    (root / "notes.txt").write_text("no picture")
    (root / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 and nothing")
    return root


@pytest.fixture
def index(tmp_path, monkeypatch):
    """One in which counting is over before the first file is read."""
    begin = threading.Thread.start

    def start(thread):
        begin(thread)
        if thread.name == "count-files":
            thread.join()

    monkeypatch.setattr(threading.Thread, "start", start)
    with Index.open(tmp_path / "a.db", create=True, workers=1) as made:
        yield made


def listened(index, paths, **options):
    listener: Progress = Listener()
    index.ingest(paths, progress=listener, **options)
    assert not [one for one in threading.enumerate() if one.name == "count-files"]
    return listener


def test_the_total_is_what_has_to_be_read(index, folder):
    heard = listened(index, [folder])
    assert heard.said[0] == ("start", None, "ingest")
    assert heard.expected == [7]
    assert heard.done == 7
    assert heard.said[-1] == ("finish",)
    save(folder / "more.png", picture(9, 40, 48))
    save(folder / "3.png", picture(10, 40, 48))
    assert listened(index, [folder]).expected == [2]


@pytest.mark.parametrize("dry_run", [False, True])
def test_nothing_is_said_of_no_work(index, folder, dry_run):
    index.ingest([folder])
    assert listened(index, [folder], dry_run=dry_run).said == []


def test_what_is_left_out_is_not_counted(index, folder):
    (folder / ".dedupindexignore").write_text("4.png\n")
    assert listened(index, [folder / "1.png", folder, folder]).expected == [6]


def test_members_of_archives_are_added_as_they_are_found(index, folder):
    with zipfile.ZipFile(folder / "more.zip", "w") as archive:
        for number in range(3):
            archive.write(folder / f"{number}.png", f"z{number}.png")
    heard = listened(index, [folder])
    assert heard.expected[-1] == heard.done == 10


def test_files_without_an_ending_raise_the_total(index, folder):
    (folder / "2.png").rename(folder / "two")
    heard = listened(index, [folder])
    assert heard.expected[-1] == heard.done == 7


def test_lists_are_not_counted_ahead(index, folder, tmp_path):
    (tmp_path / "list.txt").write_text(f"{folder / '0.png'}\n")
    heard = listened(index, [], lists=[tmp_path / "list.txt"])
    assert heard.expected == []
    assert heard.done == 1


def test_counting_ends_with_the_ingest(tmp_path, folder):
    """Also where the ingest ends first, or fails."""

    class Failing(Listener):
        def advance(self, n) -> None:
            raise KeyboardInterrupt

    with Index.open(tmp_path / "a.db", create=True, workers=1) as index, pytest.raises(KeyboardInterrupt):
        index.ingest([folder], progress=Failing())
    assert not [one for one in threading.enumerate() if one.name == "count-files"]
