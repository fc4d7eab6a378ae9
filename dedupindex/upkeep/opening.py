"""The location and the settings of a database when it is opened."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dedupindex.errors import SettingsError
from dedupindex.places import place_of
from dedupindex.settings import Settings
from dedupindex.store import catalog
from dedupindex.store.database import Database
from dedupindex.store.migrate import prepare_schema
from dedupindex.versions import versions


def location_of(path: str | os.PathLike[str]) -> Path | str:
    """The location of a database: a URL as text, anything else as a path."""
    text = os.fspath(path)
    return text if "://" in text else Path(text)


@contextmanager
def opened(location: Path | str, *, read_only: bool = True) -> Iterator[Database]:
    """Open another database for the duration of the block.

    Raises
    ------
    StoreError
        There is none, or it has another schema.
    """
    database = Database(location, read_only=read_only)
    try:
        prepare_schema(database, create=False)
        yield database
    finally:
        database.close()


def places_of(given: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """Paths and URLs as places.

    Raises
    ------
    SettingsError
        One of them is not valid.
    TypeError
        *given* is a single path.
    """
    if isinstance(given, str | os.PathLike):
        raise TypeError("paths is one path, must be a sequence of paths")
    try:
        return [place_of(name) for name in given]
    except ValueError as error:
        raise SettingsError(str(error)) from error


def settle_settings(
    database: Database, given: Settings | None, overrides: Mapping[str, Any], *, program: str
) -> tuple[Settings, str]:
    """Choose the settings in force, and compare them with the features in the database. A new one stores them.

    Parameters
    ----------
    database : Database
    given : Settings, optional
        All of them; else *overrides* are single ones by name (None = not given).
    overrides : mapping
        Only without *given*.
    program : str
        Version of this program, stored in a new database.

    Returns
    -------
    settings : Settings
    mismatch : str
        Why the settings do not fit the features in the database; empty where they fit.

    Raises
    ------
    SettingsError
        Both *given* and *overrides* are there, or a value is not valid.
    StoreError
        The database cannot be used.
    """
    with database.read() as connection:
        written = catalog.get_meta(connection, "settings")
        fingerprint = catalog.get_meta(connection, "fingerprint")
        hashes = catalog.is_hash_only(connection)
    stored = json.loads(written) if written else None
    chosen = choose_settings(given, stored, overrides)
    if chosen.hash_only and fingerprint is not None and not hashes:
        raise SettingsError(f"{database.name} stores thumbnails; hash_only is for a new database")
    if hashes and overrides.get("hash_only") is False:
        raise SettingsError(f"{database.name} holds hashes only; thumbnails need a new database")
    if chosen.hash_only or hashes:  # the descriptor of a negative is made from a thumbnail
        chosen = dataclasses.replace(chosen, hash_only=True, negatives=0)
    own = chosen.fingerprint(versions(chosen))
    if fingerprint is None and not database.read_only:
        with database.write() as connection:
            if catalog.get_meta(connection, "fingerprint") is None:  # no other process was faster
                catalog.remember_settings(connection, chosen.shaping(), own)
                if chosen.hash_only:
                    catalog.set_hash_only(connection)
                catalog.set_meta(connection, program=program)
    elif fingerprint is not None and fingerprint != own:
        return chosen, mismatch_words(database.name, chosen, stored or {})
    return chosen, ""


def choose_settings(given: Settings | None, stored: dict[str, Any] | None, overrides: Mapping[str, Any]) -> Settings:
    """The settings in force: all that were given, else single ones over the database's over the defaults.

    Parameters
    ----------
    given : Settings, optional
    stored : dict, optional
        Those that the database's features were made with, by name; None = a new database.
    overrides : mapping
        Single settings by name; None as a value = not given.

    Returns
    -------
    Settings

    Raises
    ------
    SettingsError
        Both *given* and *overrides* are there, or a value is not valid.
    """
    named = {name: value for name, value in overrides.items() if value is not None}
    if given is not None:
        if named:
            raise SettingsError(f"give either settings or {', '.join(named)}, not both")
        return given
    surroundings = Settings.load(**named)
    if stored is None:
        return surroundings
    default, explicit = Settings().shaping(), surroundings.shaping()
    kept = {n: v for n, v in stored.items() if n in default and n not in named and explicit[n] == default[n]}
    return Settings.load(**{**named, **kept})


def mismatch_words(name: str, chosen: Settings, stored: Mapping[str, Any]) -> str:
    """The message for features that were made with other settings than the chosen ones.

    Parameters
    ----------
    name : str
        Of the database.
    chosen : Settings
        In force.
    stored : mapping
        Settings of the features, by name.

    Returns
    -------
    str
    """
    wanted = chosen.shaping()
    differing = [
        f"{name} {stored.get(name)!r} -> {wanted[name]!r}" for name in wanted if stored.get(name) != wanted[name]
    ]
    what = "; ".join(differing) if differing else "the features of this version of dedupindex are others"
    return (
        f"{name} holds features made with other settings ({what}); "
        f"run `dedupindex rebuild --describe` with the settings you want, to describe the pictures again, "
        f"or use a new database"
    )
