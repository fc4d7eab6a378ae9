"""Which database is meant, and which settings are in force when it is opened."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dedupindex.errors import SettingsError
from dedupindex.places import place_of
from dedupindex.settings import Settings


def location_of(path: str | os.PathLike[str]) -> Path | str:
    """A database as a path, or as the URL that it is."""
    text = os.fspath(path)
    return text if "://" in text else Path(text)


def places_of(given: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """The places that somebody names by paths and URLs.

    Raises
    ------
    SettingsError
    """
    try:
        return [place_of(some) for some in given]
    except ValueError as error:
        raise SettingsError(str(error)) from error


def choose_settings(given: Settings | None, stored: dict[str, Any] | None, overrides: Mapping[str, Any]) -> Settings:
    """Settings in force: all that were given, else single ones over the database's over the defaults."""
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


def mismatch_words(path: Path, chosen: Settings, stored: Mapping[str, Any]) -> str:
    """What to say where features were made with other settings than the *chosen* ones."""
    wanted = chosen.shaping()
    differing = [f"{name} {stored[name]!r} -> {wanted[name]!r}" for name in wanted if stored.get(name) != wanted[name]]
    what = "; ".join(differing) if differing else "the features of this version of dedupindex are others"
    return (
        f"{path} holds features made with other settings ({what}); "
        f"run `dedupindex rebuild --describe` to describe the pictures again, or use a new database"
    )
