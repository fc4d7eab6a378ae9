import json
import signal
import subprocess
import threading
import time

import pytest

from dedupindex.cli.watch import rest
from dedupindex.errors import SettingsError
from dedupindex.settings import seconds_of
from tests.commands import SCRIPT
from tests.pictures import picture, save


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("30m", 1800), ("1h", 3600), ("1.5h", 5400), ("1d", 86400), (" 7 ", 7)]
)
def test_times(text, seconds):
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "0", "-1h", "1 week", "1h30m", "nan"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(SettingsError, match="time is"):
        seconds_of(text)


def test_changes_end_the_rest_once_they_are_over(monkeypatch):
    monkeypatch.setattr("dedupindex.cli.watch.QUIET_TIME", 0.05)
    seen = []

    def ticks():
        for changed in [False, True, True, False, *[False] * 500]:
            seen.append(changed)
            time.sleep(0.01)
            yield changed

    began = time.monotonic()
    rest(60, threading.Event(), ticks())
    assert time.monotonic() - began < 10
    assert seen.count(True) == 2
    assert len(seen) < 60


def test_without_changes_the_time_counts_and_stopping_ends_it():
    began = time.monotonic()
    rest(0.05, threading.Event(), None)
    assert 0.04 < time.monotonic() - began < 10
    stopped = threading.Event()
    stopped.set()
    rest(3600, stopped, None)
    assert time.monotonic() - began < 10


def test_one_run_reports_what_is_new(run, tmp_path):
    folder, reports = tmp_path / "pictures", tmp_path / "reports"
    save(folder / "a.png", picture(0))
    save(folder / "b.bmp", picture(0))
    line = ["-d", tmp_path / "a.db", "watch", folder, "--runs", "1", "--reports", reports]
    first = run(*line, cwd=tmp_path)
    assert "2 new pictures" in first.stderr
    assert "1 new pair, 1 new group" in first.stderr
    assert first.stdout == ""
    page, data = sorted(reports.iterdir())
    assert {page.suffix, data.suffix} == {".html", ".json"}
    again = run(*line, cwd=tmp_path)
    assert "nothing new" in again.stderr
    assert len(list(reports.iterdir())) == 2
    [group] = json.loads(next(reports.glob("*.json")).read_text())["groups"]
    assert len(group["members"]) == 2


def test_a_bad_time_is_an_error(run, tmp_path):
    done = run("watch", tmp_path, "--every", "soon", cwd=tmp_path, code=2)
    assert "must be like" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_new_files_are_seen_and_the_end_is_clean(environment, tmp_path, number):
    folder = tmp_path / "pictures"
    save(folder / "a.png", picture(1))
    arguments = ["-d", tmp_path / "a.db", "watch", folder, "--every", "1d", "--workers", "1"]
    with subprocess.Popen(
        [SCRIPT, *map(str, arguments)], env=environment, cwd=tmp_path, stderr=subprocess.PIPE, text=True
    ) as process:
        lines = []
        reader = threading.Thread(target=lambda: lines.extend(iter(process.stderr.readline, "")))
        reader.start()
        try:
            wait_for(lines, "1 new picture")
            save(folder / "b.bmp", picture(1))
            wait_for(lines, "1 new pair")
            process.send_signal(number)
            assert process.wait(30) == 0
        finally:
            process.kill()
            reader.join(10)
    assert "ended" in lines[-1]
    assert not any("Traceback" in line for line in lines)


def wait_for(lines, text, patience=90):
    until = time.monotonic() + patience
    while not any(text in line for line in lines):
        assert time.monotonic() < until, lines
        time.sleep(0.05)
