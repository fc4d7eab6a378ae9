"""Values of files that people can write, checked one by one: each error says which value is wrong, and what it must be.

Plans and journals are JSON of our own making, but nothing keeps anybody from changing them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

Choice = TypeVar("Choice", bound=StrEnum)
_LONGEST = 60  # characters of a wrong value that an error shows
_LARGEST = 1 << 63  # integers are sizes, times and numbers of the system


def load_json(data: bytes) -> Any:
    """Values of a JSON text.

    Raises
    ------
    ValueError
        It is none, or is nested too deep.
    """
    try:
        return json.loads(data)
    except RecursionError as error:
        raise ValueError("the JSON is nested too deep") from error
    except UnicodeDecodeError as error:
        raise ValueError("no JSON: it is no text") from error
    except ValueError as error:
        raise ValueError(f"no JSON: {error}") from error


@dataclass(frozen=True, slots=True)
class Fields:
    """The members of a JSON object.

    Every method raises ValueError where the member is missing or of another kind.

    Attributes
    ----------
    values : mapping
    where : str
        What errors call the object: ``items[3].file``; empty = the whole file.
    """

    values: Mapping[str, Any]
    where: str = ""

    @classmethod
    def of(cls, value: object, where: str = "") -> Fields:
        """The members of a value that must be an object."""
        if not isinstance(value, dict):
            raise ValueError(f"{where or 'the whole'} is {_shown(value)}, must be an object")
        return cls(value, where)

    def text(self, name: str) -> str:
        """A text that the system can hold as a name: no lone surrogates but those that stand for bytes."""
        value = self._member(name)
        if not isinstance(value, str) or not _is_encodable(value):
            raise self.wrong(name, "must be text")
        return value

    def number(self, name: str) -> float:
        """A finite number."""
        value = self._member(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not _is_finite(value):
            raise self.wrong(name, "must be a number")
        return float(value)

    def flag(self, name: str) -> bool:
        """True or false."""
        value = self._member(name)
        if not isinstance(value, bool):
            raise self.wrong(name, "must be true or false")
        return value

    def integer(self, name: str) -> int:
        """An integer of 64 bits."""
        value = self._member(name)
        if isinstance(value, bool) or not isinstance(value, int) or not -_LARGEST <= value < _LARGEST:
            raise self.wrong(name, "must be an integer")
        return value

    def truth(self, name: str) -> bool:
        """True or false."""
        value = self._member(name)
        if not isinstance(value, bool):
            raise self.wrong(name, "must be true or false")
        return value

    def numbers(self, name: str, count: int) -> tuple[float, ...]:
        """A list of so many finite numbers."""
        values = self.items(name)
        if len(values) != count:
            raise self.wrong(name, f"must be {count} numbers")
        return tuple(Fields({name: value}, self.where).number(name) for value in values)

    def integers(self, name: str, count: int) -> tuple[int, ...]:
        """A list of so many integers."""
        values = self.items(name)
        if len(values) != count:
            raise self.wrong(name, f"must be {count} integers")
        return tuple(Fields({name: value}, self.where).integer(name) for value in values)

    def choice(self, name: str, kind: type[Choice]) -> Choice:
        """A member of an enumeration, by its value."""
        return self.chosen(name, self._member(name), kind)

    def chosen(self, name: str, value: object, kind: type[Choice]) -> Choice:
        """A member of an enumeration for a part of a member.

        Parameters
        ----------
        name : str
            Of the member, for the error.
        value : object
            The part.
        kind : type of StrEnum
        """
        if not isinstance(value, str) or value not in {member.value for member in kind}:
            words = f"{self._called(name)} is {_shown(value)}, must be one of {', '.join(kind)}"
            raise ValueError(words)
        return kind(value)

    def items(self, name: str) -> list[Any]:
        """A list."""
        value = self._member(name)
        if not isinstance(value, list):
            raise self.wrong(name, "must be a list")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts."""
        return tuple(Fields({name: value}, self.where).text(name) for value in self.items(name))

    def objects(self, name: str) -> list[Fields]:
        """A list of objects."""
        called = self._called(name)
        return [Fields.of(value, f"{called}[{number}]") for number, value in enumerate(self.items(name))]

    def object(self, name: str) -> Fields:
        """An object."""
        return Fields.of(self._member(name), self._called(name))

    def is_null(self, name: str) -> bool:
        """Whether a member is there and null."""
        return self._member(name) is None

    def wrong(self, name: str, must: str) -> ValueError:
        """The error for a member that is there."""
        return ValueError(f"{self._called(name)} is {_shown(self.values[name])}, {must}")

    def _member(self, name: str) -> Any:
        if name not in self.values:
            raise ValueError(f"{self._called(name)} is missing")
        return self.values[name]

    def _called(self, name: str) -> str:
        return f"{self.where}.{name}" if self.where else name


def _is_encodable(value: str) -> bool:
    try:
        value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond every float
        return False


def _shown(value: object) -> str:
    """A value as JSON writes it, or what kind it is where that is long."""
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    large = isinstance(value, int) and abs(value) >= _LARGEST
    text = "a very large integer" if large else json.dumps(value, default=str)  # TOML has dates and times too
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
