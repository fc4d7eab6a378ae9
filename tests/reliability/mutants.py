"""Take the safeguards out, one at a time: some test must fail each time.

``python -m tests.reliability.mutants`` prints a line each; the slow programme runs it too.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.reliability.harness import ENVIRONMENT, ROOT

# name: file, what stands there, what stands there instead, the tests that must notice
MUTANTS = {
    "no fsync of written files": (
        "durable.py", "            os.fsync(file.fileno())\n        replace", "        replace", "test_order.py"),
    "no fsync of folders": ("durable.py", "        os.fsync(handle)\n", "        pass\n", "test_order.py"),
    "no fsync of databases that are copied": (
        "durable.py", "    with path.open(\"rb\") as file:\n        os.fsync(file.fileno())\n", "", "test_order.py"),
    "written in place": (
        "durable.py",
        "    temporary = aside or path.with_name(f\".tmp-{os.getpid()}-{secrets.token_hex(4)}\")\n    try:\n"
        "        point(\"write\", temporary)\n        with temporary.open(\"xb\") as file:\n",
        "    temporary = path\n    try:\n        point(\"write\", temporary)\n"
        "        with temporary.open(\"wb\") as file:\n",
        "test_order.py test_killed.py"),
    "no digest check of vector files": (
        "vectors/segments.py", "    if hashlib.sha256(data).hexdigest() != sealed.sha256:", "    if False:",
        "test_damage.py"),
    "no digest check of copies": (
        "durable.py", "        if digest.hexdigest() != sha256:", "        if False:", "test_order.py"),
    "no BEGIN IMMEDIATE": (
        "store/sqlite.py", '"BEGIN IMMEDIATE" if immediate else "BEGIN"', '"BEGIN"', "test_order.py"),
    "no lock of writers": (
        "store/writer_lock.py", " fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)\n            except",
        " pass\n            except", "../store/test_writer_lock.py"),
    "no checksum of features": (
        "store/catalog_images.py", "            if checksum != ", "            if False and checksum != ",
        "test_damage.py"),
    "no look whether a file changed while it was read": (
        "sources/reading.py", "if same else None", "if data else None",
        "../sources/test_decode_failures.py"),
    "no second look at failed files when the decoder changes": (
        "ingest/ingest.py", "            catalog.give_another_chance(connection)\n", "",
        "../ingest/test_ingest.py"),
    "no wall limit": (
        "execution/worker.py", "self._connection.poll(seconds or None)", "self._connection.poll(20)",
        "../execution/test_pool.py"),
    "no memory limit": (
        "execution/worker.py", "        _lower(resource.RLIMIT_AS, limits.memory)", "        pass",
        "../execution/test_pool.py"),
    "no way to read where the log cannot be folded": (
        "store/sqlite.py", "alone=not folded", "alone=False", "test_full_disk.py"),
    "no lock around FAISS": (
        "vectors/vector_index.py", "_lock = threading.RLock()", "_lock = contextlib.nullcontext()",
        "test_threads.py"),
}  # fmt: skip


def survives(name: str, folder: Path) -> bool:
    """Whether the tests pass although the safeguard is gone."""
    file, old, new, tests = MUTANTS[name]
    place = folder / "repository"
    for part in ("dedupindex", "tests", "migrations"):
        shutil.copytree(ROOT / part, place / part, ignore=shutil.ignore_patterns("__pycache__"))
    for part in ("pyproject.toml", "README.md", "CHANGELOG.md", "alembic.ini"):
        shutil.copy(ROOT / part, place / part)
    path = place / "dedupindex" / file
    text = path.read_text()
    if text.count(old) != 1:
        raise ValueError(f"{name}: {file} has changed; say anew what is to be taken out")
    if "contextlib" in new:
        new_text = text.replace("import threading\n", "import contextlib\nimport threading\n", 1)
    else:
        new_text = text
    path.write_text(new_text.replace(old, new))
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
    command += [str(place / "tests" / "reliability" / test) for test in tests.split()]
    done = subprocess.run(command, cwd=place, env=ENVIRONMENT, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode not in (0, 1):
        return done.returncode >= 0  # a crash of the whole is noticed too; an error of pytest is not
    return done.returncode == 0


def main(chosen: list[str]) -> int:
    """Try all, or those whose name contains one of the words; how many survived."""
    survivors = 0
    for name in MUTANTS:
        if chosen and not any(word in name for word in chosen):
            continue
        with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
            lives = survives(name, Path(folder))
        survivors += lives
        print(f"{'SURVIVES' if lives else 'noticed '}  {name}", flush=True)
    return survivors


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
