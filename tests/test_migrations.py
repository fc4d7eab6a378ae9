import subprocess
import sys
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory

from dedupindex.store.database import Database
from dedupindex.store.migrate import HEAD, migrations_folder, prepare_schema

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
