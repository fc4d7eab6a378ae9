"""Reports, plans and pages are of one state: another process commits between any two of their statements."""

import dataclasses
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from sqlalchemy import event

from dedupindex import Index
from dedupindex.reports.jsonfile import report_json
from dedupindex.web.page.group_lists import GroupLists
from tests.reliability.harness import ENVIRONMENT, ROOT
from tests.reliability.test_killed import copy_database

MADE = datetime(2026, 1, 1, tzinfo=UTC)
COUNTED = re.compile(r'"?generation"?: ?\d+|generation=\d+')


def page(index):
    """What a list of groups and its side are made of."""
    whole = GroupLists(index).current()
    return whole.overview, whole.entries


SUBJECTS = {  # what is made of one state; generations, which differ each time, are taken out
    "report": lambda index: report_json(index.report(find=False)),
    "report since a run": lambda index: report_json(index.report(1, find=False)),
    "plan": lambda index: dataclasses.replace(index.plan(), made=MADE),
    "page": page,
    "info": lambda index: {name: value for name, value in index.info().items() if name not in ("bytes", "generation")},
}


class Committer:
    """The other process."""

    def __init__(self, database) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.reliability.committer", database],
            cwd=ROOT, env=ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stdout.readline() == "ready\n"

    def commit(self) -> None:
        """Bring the database into its other state; return when that is committed."""
        self.process.stdin.write("now\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "committed\n"

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


@contextmanager
def before_statement(index, number, do):
    """Do something before the reader's so-many-th statement, which waits for it; how many there were, at the end."""
    seen = [0]

    def hear(*_):
        seen[0] += 1
        if seen[0] == number:
            do()

    engine = index._database._backend._engine
    event.listen(engine, "before_cursor_execute", hear)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", hear)


def told(make, index) -> str:
    return COUNTED.sub("", repr(make(index)))


def torn(made, folder, runs: int, subjects=SUBJECTS) -> tuple[int, list, dict]:
    """How often something was made while another process committed; where that showed; statements of each."""
    copy_database(made[0], folder / "a.db")
    done, mixed, statements = 0, [], {}
    with Committer(folder / "a.db") as committer, Index.open(folder / "a.db", read_only=True) as index:
        states = {}
        for _ in range(2):
            for subject, make in subjects.items():
                with before_statement(index, 0, committer.commit) as counted:
                    states.setdefault(subject, []).append(told(make, index))
                statements[subject] = min(counted[0], statements.get(subject, counted[0]))
            committer.commit()
        assert all(first != other for first, other in states.values()), "the commit changes nothing"
        while done < runs:
            for subject, most in statements.items():
                with before_statement(index, 1 + done // len(subjects) % most, committer.commit) as counted:
                    found = told(subjects[subject], index)
                assert counted[0] >= most
                done += 1
                if found not in states[subject]:
                    mixed.append((subject, 1 + (done - 1) // len(subjects) % most))
    return done, mixed, statements


def test_nothing_is_made_of_two_states(made, tmp_path):
    done, mixed, _ = torn(made, tmp_path, 3 * len(SUBJECTS))
    assert done >= 15
    assert mixed == []


def test_what_is_read_in_two_transactions_is_noticed(made, tmp_path):
    split = {"split": lambda index: (index.info()["failures"], [i.locations[0].missing for i in index.images()])}
    _, mixed, statements = torn(made, tmp_path, 40, split)
    assert len(mixed) >= 40 // statements["split"]


@pytest.mark.slow
def test_nothing_is_made_of_two_states_at_any_statement(made, tmp_path):
    done, mixed, statements = torn(made, tmp_path, int(os.environ.get("RELIABILITY_TORN", "200")))
    print(f"\n{done} runs with a commit of another process in between, {len(mixed)} torn; statements: {statements}")
    assert mixed == []
