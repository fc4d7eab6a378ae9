"""Tokens of clients, each with a role; only their digests are stored.

A line of a token file says ``NAME ROLE SHA256``: a name for logs and limits, ``read`` or ``write``, and the SHA-256 of
the token in hexadecimal. Empty lines and those that begin with ``#`` are passed over. Several may be in force at once,
so that a new one is handed out before the old one goes; the file is read again when it changes. Where it is removed,
nobody is let in any more.

The digest is a plain SHA-256: a token is 256 random bits, which cannot be guessed, so a slow hash would add nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import re
import secrets
import threading
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from dedupindex.errors import SettingsError

log = logging.getLogger(__name__)

VARIABLE = "DEDUPINDEX_TOKENS"  # lines as in a file, or with ";" between them
LOOK_AGAIN = 1.0  # seconds between looks at the file
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


class Role(StrEnum):
    """What a token allows."""

    READ = "read"  # query, report, images, failures
    WRITE = "write"  # that, and ingest and search


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it is written down."""

    name: str
    role: Role
    sha256: str

    def allows(self, role: Role) -> bool:
        """Whether it may do what needs a role."""
        return role in (self.role, Role.READ)


def make_token(name: str, role: Role = Role.WRITE) -> tuple[str, Token]:
    """Return a fresh token, and what is to be written down of it.

    Raises
    ------
    SettingsError
        The name is none.
    """
    if not _NAME.fullmatch(name):
        raise SettingsError(f"a token's name is {name!r}, must be letters, digits and _.@- (64 at most)")
    secret = secrets.token_urlsafe(32)
    return secret, Token(name, role, _digest(secret))


def line_of(token: Token) -> str:
    """Return the line of a token file."""
    return f"{token.name} {token.role} {token.sha256}"


def parse_tokens(text: str, where: str) -> tuple[Token, ...]:
    """Read the lines of a token file.

    Parameters
    ----------
    where : str
        What errors call it. Nothing of a line is repeated in them: somebody may have pasted the token itself.

    Raises
    ------
    SettingsError
        A line is wrong, a name stands twice with one digest, or there is no token at all.
    """
    tokens: list[Token] = []
    for number, line in enumerate(re.split(r"[\n;]", text), 1):
        words = line.split("#", 1)[0].split()
        if not words:
            continue
        if len(words) != 3 or not _NAME.fullmatch(words[0]) or words[1] not in set(Role):
            raise SettingsError(f"{where}: line {number} is not NAME {'|'.join(Role)} SHA256")
        if not _DIGEST.fullmatch(words[2].lower()):
            raise SettingsError(f"{where}: line {number} has no SHA-256 of 64 hexadecimal digits at its end")
        tokens.append(Token(words[0], Role(words[1]), words[2].lower()))
    if not tokens:
        raise SettingsError(f"{where}: there is no token in it; --make-token NAME makes one")
    if len({token.sha256 for token in tokens}) < len(tokens):
        raise SettingsError(f"{where}: one digest stands there twice")
    return tuple(tokens)


class Tokens:
    """The tokens in force.

    Parameters
    ----------
    known : tuple of Token
    file : Path, optional
        Where they come from; looked at again when it changes.
    """

    def __init__(self, known: tuple[Token, ...], file: Path | None = None) -> None:
        self._known = known
        self._file = file
        self._state = _state(file)
        self._looked = time.monotonic()
        self._turn = threading.Lock()

    @classmethod
    def load(cls, file: Path | None) -> Tokens | None:
        """Read the tokens of a file, else of the environment; None where there are none.

        Raises
        ------
        SettingsError
            They cannot be read.
        """
        if file is not None:
            return cls(_read(file), file)
        text = os.environ.get(VARIABLE, "")
        return cls(parse_tokens(text, f"${VARIABLE}")) if text.strip() else None

    def owner(self, given: str) -> Token | None:
        """Return the token that somebody brought, in a time that tells nothing of the others."""
        self._look()
        digest, match = _digest(given), None
        for token in self._known:  # all of them, always
            if hmac.compare_digest(digest, token.sha256):
                match = token
        return match

    def _look(self) -> None:
        """Take over a changed file; one that is gone revokes all, one that means nothing leaves everything as it is."""
        now = time.monotonic()
        if self._file is None or now - self._looked < LOOK_AGAIN:
            return
        with self._turn:
            self._looked = now
            state = _state(self._file)
            if state == self._state:
                return
            self._state = state
            if state is None and not self._file.exists():
                self._known = ()
                log.warning("%s is gone: no token is in force", self._file)
                return
            try:
                self._known = _read(self._file)
            except SettingsError as error:
                log.warning("the tokens stay as they were: %s", error)
            else:
                log.warning("%d tokens are in force now", len(self._known))


def _read(file: Path) -> tuple[Token, ...]:
    try:
        return parse_tokens(file.read_text("utf-8"), str(file))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: {getattr(error, 'strerror', None) or 'is no text'}") from error


def _state(file: Path | None) -> tuple[int, int, int] | None:
    try:
        status = file.stat() if file is not None else None
    except OSError:
        return None
    return None if status is None else (status.st_mtime_ns, status.st_size, status.st_ino)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
