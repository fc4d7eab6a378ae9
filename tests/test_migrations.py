import subprocess
import sys
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from dedupindex.store.database import Database
from dedupindex.store.migrate import HEAD, migrations_folder, prepare_schema, upgrade

pytestmark = pytest.mark.usefixtures("migrations_run")

ROOT = Path(__file__).parent.parent


def test_models_and_migrations_agree(tmp_path):
    """`alembic check` finds nothing to migrate on a database that the migrations made."""
    path = tmp_path / "a.db"
    made = Database(path, create=True)
    prepare_schema(made, create=True)
    made.close()
    lines = (ROOT / "alembic.ini").read_text().replace("sqlite:///dedupindex.db", f"sqlite:///{path}")
    ini = tmp_path / "alembic.ini"
    ini.write_text(lines.replace("script_location = migrations", f"script_location = {ROOT / 'migrations'}"))
    done = subprocess.run(
        [sys.executable, "-m", "alembic", "-c", str(ini), "check"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No new upgrade operations" in done.stdout + done.stderr


def test_head_is_the_newest_revision():
    config = Config()
    config.set_main_option("script_location", str(migrations_folder()))
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


def test_a_database_of_revision_3_keeps_what_it_knows(tmp_path):
    """Snapshots under their new name; animations whose first frames are the same claim that no longer."""
    import sqlite3

    from alembic import command

    path = tmp_path / "old.db"
    config = Config()
    config.set_main_option("script_location", str(migrations_folder()))
    database = Database(path, create=True)
    with database.write_schema() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
    raw = sqlite3.connect(path)
    raw.execute(
        "INSERT INTO run (id, kind, started, summary) VALUES (1, 'duplicates', '2026-01-01T00:00:00+00:00', '{}')"
    )
    frames = [("GIF", 5, b"a"), ("GIF", 5, b"b"), ("PNG", 1, b"c"), ("PNG", 1, b"d")]
    for number, (kind, count, sha256) in enumerate(frames, 1):
        raw.execute(
            "INSERT INTO image (id, sha256, frame, format, width, height, bits, channels, valid_share, low_information,"
            " scaling, lossless, metadata_count, frame_count, pixel_sha256, added_run)"
            " VALUES (?, ?, 0, ?, 8, 8, 8, 3, 1, 0, 'dtype', 1, 0, ?, ?, 1)",
            (number, sha256 * 32, kind, count, b"p" * 32),
        )
    for a, b in ((1, 2), (3, 4)):
        raw.execute(
            "INSERT INTO pair (a, b, score, relations, dy, dx, scale, rotation, mirrored, overlap, evidence, version,"
            " run) VALUES (?, ?, 1, 'same_pixels', 0, 0, 1, 0, 0, 1, '{}', '1', 1)",
            (a, b),
        )
    raw.execute("INSERT INTO standing VALUES (1, ?)", (b"groups",))
    raw.commit()
    raw.close()
    assert upgrade(database).before == "0003"
    with database.read() as connection:
        relations = dict(connection.exec_driver_sql("SELECT a, relations FROM pair").all())
        kept = connection.exec_driver_sql('SELECT run, "groups" FROM snapshot').all()
        proofs = connection.exec_driver_sql("SELECT count(*) FROM proof").scalar()
    assert relations == {1: "reencoded", 3: "same_pixels"}
    assert kept == [(1, b"groups")]
    assert proofs == 0
    with database.write() as connection, pytest.raises(Exception, match="FOREIGN KEY"):
        connection.exec_driver_sql("INSERT INTO proof VALUES (1, 3, 'same', 0, 0, '1', '{}', 1)")
    with database.write() as connection:
        connection.exec_driver_sql("INSERT INTO proof VALUES (1, 2, 'same', 0, 0, '1', '{}', 1)")
        connection.exec_driver_sql("DELETE FROM pair WHERE a = 1")
        assert connection.exec_driver_sql("SELECT count(*) FROM proof").scalar() == 0  # goes with its pair
    database.close()
