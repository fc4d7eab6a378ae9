"""A text type that every database stores and compares in the same way."""

from __future__ import annotations

import re

from sqlalchemy import String
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class Text(TypeDecorator[str]):
    """Text in the order of its code points, whatever the language of the server.

    PostgreSQL holds no NUL characters and no lone surrogates: there they become escapes. Its indexes on text
    of a language are wrong once the system's C library sorts otherwise than when they were made; these are not.
    """

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[str]:
        """The type of the column."""
        return dialect.type_descriptor(String(collation="C") if dialect.name == "postgresql" else String())

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """The value that is sent to the database."""
        if value is None or dialect.name != "postgresql":
            return value
        return _UNSTORABLE.sub(_escape, value)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\u{code:04x}" if code else "\\x00"
