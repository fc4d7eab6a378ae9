"""The container files: no engine is needed for these; what they name exists, and their commands run."""

import dataclasses
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from urllib.request import urlopen

import pytest

from dedupindex.settings import ENVIRONMENT_PREFIX, Settings

yaml = pytest.importorskip("yaml", reason="needs PyYAML")
pytest.importorskip("fastapi", reason="needs the extra web")

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / ".container"
SCRIPT = Path(sys.executable).parent / "dedupindex"
SERVER_VARIABLES = {
    "PGPASSWORD_FILE",
    "POSTGRES_USER",
    "POSTGRES_DB",
    "POSTGRES_PASSWORD_FILE",
}  # ours, and the image's

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="no repository")


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((FOLDER / "compose.yaml").read_text())


@pytest.fixture(scope="module")
def containerfile():
    """(instruction, rest) of every line, continued ones joined."""
    text = re.sub(r"\\\n\s*", " ", (FOLDER / "Containerfile").read_text())
    return [line.split(None, 1) for line in text.splitlines() if line and not line.startswith("#")]


@pytest.fixture(scope="module")
def flags():
    done = subprocess.run([SCRIPT, "serve", "--help"], capture_output=True, text=True, check=True)
    return set(re.findall(r"--[a-z][a-z0-9-]+", done.stdout))


def of(containerfile, name):
    return [rest for instruction, rest in containerfile if instruction == name]


def test_every_flag_and_variable_is_one_of_ours(compose, containerfile, flags):
    [command] = [yaml.safe_load(rest) for rest in of(containerfile, "CMD")]
    replicas = [service for name, service in compose["services"].items() if name.startswith("replica")]
    assert len(replicas) == 2
    for words in (command, *(service["command"] for service in replicas)):
        assert words[:2] == ["serve", "--api-only"]
        assert {word for word in words if word.startswith("--")} <= flags
    known = {ENVIRONMENT_PREFIX + field.name.upper() for field in dataclasses.fields(Settings)}
    known |= {"DEDUPINDEX_DATABASE", "DEDUPINDEX_TOKENS", "DEDUPINDEX_CACHE"} | SERVER_VARIABLES
    named = {name for service in compose["services"].values() for name in service.get("environment", {})}
    assert named <= known
    [variables] = of(containerfile, "ENV")
    own = {word.partition("=")[0] for word in shlex.split(variables)}
    assert own <= known | {"PATH", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "XDG_STATE_HOME"}
    assert not any("PASSWORD" in name and not name.endswith("_FILE") for name in named)


def test_what_is_copied_and_installed_exists(containerfile):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    shown = {line[1:] for line in (FOLDER / "Containerfile.dockerignore").read_text().splitlines() if line[0] == "!"}
    for rest in of(containerfile, "COPY"):
        words = [word for word in rest.split() if not word.startswith("--chmod")]
        if words[0].startswith("--from"):
            continue
        for name in words[:-1]:
            assert (ROOT / name).exists(), name
            assert name in shown, f"{name} is hidden from the build"
    [install] = [rest for rest in of(containerfile, "RUN") if "pip install" in rest]
    extras = set(re.search(r'"\.\[([a-z,]+)\]"', install)[1].split(","))
    assert extras <= set(project["optional-dependencies"])
    assert "web" in extras


def test_nobody_is_root_and_nothing_is_written_where_it_should_not(compose, containerfile):
    assert of(containerfile, "USER")[-1] == "10001:10001"
    for name, service in compose["services"].items():
        if name == "postgres":  # has its own way of becoming somebody else
            continue
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in service["security_opt"]
    for name in ("replica-1", "replica-2"):
        assert compose["services"][name]["user"] == "10001:10001"
    vectors = [compose["services"][name]["volumes"] for name in ("replica-1", "replica-2")]
    assert vectors[0] != vectors[1]  # each its own
    assert compose["networks"]["inside"]["internal"] is True
    assert "ports" not in compose["services"]["replica-1"]


def test_everything_that_is_used_is_declared(compose):
    for service in compose["services"].values():
        assert set(service.get("secrets", ())) <= set(compose["secrets"])
        assert set(service["networks"]) <= set(compose["networks"])
        assert set(service.get("depends_on", ())) <= set(compose["services"])
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            assert (FOLDER / source).exists() if source.startswith(".") else source in compose["volumes"]
    caddy = (FOLDER / "Caddyfile").read_text()
    assert set(re.findall(r"(\S+):8000", caddy)) == {n for n in compose["services"] if n.startswith("replica")}
    assert caddy.count("{") == caddy.count("}")
    ignored = (ROOT / ".gitignore").read_text().split()
    for secret in compose["secrets"].values():
        assert any(secret["file"].removeprefix("./").startswith(name.removeprefix(".container/")) for name in ignored)


def test_the_entry_reads_the_password_from_its_file(tmp_path):
    (tmp_path / "dedupindex").write_text('#!/bin/sh\nprintf "%s|" "${PGPASSWORD:-none}" "$@"\n')
    (tmp_path / "dedupindex").chmod(0o755)
    (tmp_path / "password").write_text("it's s3cret $HOME\n")
    environment = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    for more, said in (
        ({}, "none|serve|a b|"),
        ({"PGPASSWORD_FILE": str(tmp_path / "password")}, "it's s3cret $HOME|serve|a b|"),
    ):
        command = ["/bin/sh", FOLDER / "entrypoint.sh", "serve", "a b"]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment | more)
        assert done.stdout == said
    lost = {"PGPASSWORD_FILE": str(tmp_path / "none")}
    assert subprocess.run(command, capture_output=True, env=environment | lost, check=False).returncode != 0


def test_a_replica_starts_as_the_example_says(compose, containerfile, tmp_path):
    """But for the address, the catalogue and where the secret lies."""
    made = subprocess.run([SCRIPT, "serve", "--make-token", "me"], capture_output=True, text=True, check=True)
    (tmp_path / "tokens").write_text(made.stdout)
    words = compose["services"]["replica-1"]["command"]
    replaced = {"/run/secrets/tokens": str(tmp_path / "tokens"), "8000": "0", "0.0.0.0": "127.0.0.1"}
    command = ["/bin/sh", FOLDER / "entrypoint.sh", *(replaced.get(word, word) for word in words)]
    environment = os.environ | {
        "PATH": f"{SCRIPT.parent}{os.pathsep}{os.environ['PATH']}",
        "DEDUPINDEX_DATABASE": str(tmp_path / "p.db"),
        "DEDUPINDEX_WORKERS": "2",
    }
    [health] = [yaml.safe_load(rest.partition("CMD ")[2]) for rest in of(containerfile, "HEALTHCHECK")]
    log = (tmp_path / "log").open("w")
    with log, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment) as process:
        try:
            address = process.stdout.readline().strip()
            with urlopen(f"{address}/metrics") as answer:
                assert b"dedupindex_up 1.0" in answer.read()
            check = [sys.executable, *(word.replace("http://127.0.0.1:8000", address) for word in health[1:])]
            for _ in range(100):
                done = subprocess.run(check, capture_output=True, check=False)
                if done.returncode == 0:
                    break
            assert done.returncode == 0
        finally:
            process.terminate()
        assert process.wait(40) == 0
