"""Messages of the page in the reader's language.

Catalogues are plain gettext files, ``locale/de.po``: who translates edits text, and nothing is compiled beforehand.
English is what stands in the templates. Sentences of reports are said through `phrases`.
"""

from __future__ import annotations

import ast
import gettext
import io
import re
import struct
from collections.abc import Iterator
from functools import lru_cache
from importlib.resources import files

from dedupindex.reports.phrases import Phrases

LANGUAGES = {"en": "English", "de": "Deutsch"}
POINTS = {"de": ".,"}  # that mark thousands and decimals where they are not those of English
_MAGIC = 0x950412DE  # of a compiled catalogue
_LINE = re.compile(r'(msgid|msgid_plural|msgstr(?:\[\d\])?)?\s*(".*")')


class Language:
    """One language: `text` and `count` as templates use them.

    Parameters
    ----------
    code : str
        One of `LANGUAGES`.
    translations : gettext.NullTranslations
    """

    def __init__(self, code: str, translations: gettext.NullTranslations) -> None:
        self.code = code
        self._translations = translations
        self.say = Phrases(translations.gettext, POINTS.get(code, ",.")).say  # sentences of reports

    def text(self, message: str, **values: object) -> str:
        """Return a message, with values in the places of its ``{names}``."""
        translated = self._translations.gettext(message)
        return translated.format(**values) if values else translated

    def count(self, number: int, one: str, many: str, **values: object) -> str:
        """Return the message for a number, which stands in the place of ``{n}`` with its thousands apart.

        Parameters
        ----------
        number : int
        one, many : str
            Messages in English, for 1 and for other numbers.
        **values : object
            What stands in other places of the message, by name.
        """
        return self._translations.ngettext(one, many, number).format(n=self.number(number), **values)

    def number(self, number: int) -> str:
        """Return a number with its thousands apart."""
        return f"{number:,}".replace(",", POINTS.get(self.code, ",.")[0])


@lru_cache(maxsize=len(LANGUAGES))
def language(code: str) -> Language:
    """Return a language by its code; English where there is no such catalogue."""
    if code not in LANGUAGES or code == "en":
        return Language("en", gettext.NullTranslations())
    text = (files("dedupindex.web.page") / "locale" / f"{code}.po").read_text("utf-8")
    return Language(code, gettext.GNUTranslations(io.BytesIO(compiled(entries(text)))))


def chosen_language(cookie: str, accepted: str) -> str:
    """Return the language that somebody chose, else the first one that the browser accepts and there is.

    Parameters
    ----------
    cookie : str
        The code that was chosen on the page; "" = none.
    accepted : str
        Header ``Accept-Language``.
    """
    if cookie in LANGUAGES:
        return cookie
    wanted = []
    for place, part in enumerate(accepted.split(",")):
        code, _, weight = part.strip().partition(";q=")
        try:
            wanted.append((-float(weight or 1), place, code.partition("-")[0].lower()))
        except ValueError:
            continue
    return next((code for _, _, code in sorted(wanted) if code in LANGUAGES), "en")


def entries(text: str) -> Iterator[tuple[str, str, list[str]]]:
    """Read a catalogue.

    Parameters
    ----------
    text : str
        In the format of gettext's ``.po`` files.

    Yields
    ------
    message, plural, translations
        The plural is "" where the message has none.
    """
    fields: dict[str, str] = {}
    last = ""
    for line in [*text.splitlines(), ""]:
        match = _LINE.fullmatch(line.strip())
        if match is not None:
            last = match[1] or last
            fields[last] = fields.get(last, "") + ast.literal_eval(match[2])
        elif not line.strip() and "msgid" in fields:
            translated = [fields[name] for name in sorted(fields) if name.startswith("msgstr")]
            yield fields["msgid"], fields.get("msgid_plural", ""), translated
            fields = {}


def compiled(messages: Iterator[tuple[str, str, list[str]]]) -> bytes:
    """Return messages as the compiled catalogue that the standard library reads."""
    rows = sorted(
        ((f"{one}\0{many}" if many else one).encode(), "\0".join(translated).encode())
        for one, many, translated in messages
        if any(translated)
    )
    head, size = 7 * 4, 8 * len(rows)
    data, places = b"", []
    for column in (0, 1):
        for row in rows:
            places.append((len(row[column]), head + 2 * size + len(data)))
            data += row[column] + b"\0"
    tables = b"".join(struct.pack("<II", *place) for place in places)
    return struct.pack("<7I", _MAGIC, 0, len(rows), head, head + size, 0, 0) + tables + data
