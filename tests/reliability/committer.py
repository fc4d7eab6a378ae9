"""A process that commits when it is told to: ``python -m tests.reliability.committer DATABASE``.

For every line that it reads it changes the database between two states, in one transaction, and answers with a line:
copies are there or missing, a pair is decided or not, a file has failed or not.
"""

import sys
from pathlib import Path

from sqlalchemy import text

from dedupindex.store.database import Connection, Database


def change(connection: Connection, away: bool) -> None:
    """Bring the database into one of the states."""
    connection.execute(text("UPDATE location SET missing = :away WHERE display LIKE '%copies%'"), {"away": away})
    connection.execute(text("DELETE FROM failure"))
    connection.execute(text("DELETE FROM decision"))
    if away:
        connection.execute(
            text(
                "INSERT INTO failure (path, display, reason, detail, size, mtime_ns, inode, run) "
                "SELECT path, display, 'damaged', 'made up', size, mtime_ns, inode, 1 FROM location LIMIT 3"
            )
        )


def main(path: Path) -> None:
    database = Database(path)
    away = False
    print("ready", flush=True)
    for _ in sys.stdin:
        away = not away
        with database.write() as connection:
            change(connection, away)
        print("committed", flush=True)
    database.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
