"""Read XMP, and add to it without touching what is there.

XMP comes from files of others: it is parsed by expat with every document type, and so every entity, refused, and within
limits of size and depth. What is added goes into the text at places that the parser found, so all other bytes stay as
they are. (ISO 16684-1; Lightroom's and digiKam's own keywords.)
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from xml.parsers import expat
from xml.sax.saxutils import escape

from dedupindex.records.metadata import PictureMetadata, lacking
from dedupindex.sources.metadata import values

MOST_BYTES = 1 << 20  # of a packet or a sidecar
_DEEPEST = 64  # elements within one another
_LONGEST = 100_000  # characters of a value
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_NAMESPACES = {
    "rdf": _RDF,
    "dc": "http://purl.org/dc/elements/1.1/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "lr": "http://ns.adobe.com/lightroom/1.0/",
    "exif": "http://ns.adobe.com/exif/1.0/",
}
_PREFIXES = {address: prefix for prefix, address in _NAMESPACES.items()} | {
    "http://ns.adobe.com/photoshop/1.0/": "photoshop",
    "http://www.digikam.org/ns/1.0/": "digiKam",
}
_BAGS = ("dc:subject", "lr:hierarchicalSubject")
_DATES = ("exif:DateTimeOriginal", "photoshop:DateCreated", "xmp:CreateDate")  # the first that is there counts
_LIST_ENDS = ("rdf:Bag", "rdf:Seq")


class XmpError(ValueError):
    """No XMP that can be read, or added to."""


@dataclass(slots=True)
class _Document:
    """What was found in XMP, and where in its bytes something can be added."""

    data: bytes
    found: dict[str, list[str]] = field(default_factory=dict)  # property -> its values
    about: str = ""  # what all descriptions are about
    end: int = -1  # of the whole: where ``</rdf:RDF>`` begins
    list_ends: dict[str, int] = field(default_factory=dict)  # property -> where the end of its list begins
    rating: tuple[int, int] | None = None  # where the digits of a rating stand

    def first(self, *names: str) -> str:
        """The first value of the first property that has one."""
        return next((value for name in names for value in self.found.get(name, ()) if value.strip()), "")


def read_xmp(data: bytes) -> PictureMetadata:
    """What XMP says.

    Parameters
    ----------
    data : bytes
        A packet, or a sidecar file.

    Returns
    -------
    PictureMetadata

    Raises
    ------
    XmpError
        It is none, holds a document type, or is too large or too deep.
    """
    return _metadata(_parsed(data))


def add_to_xmp(data: bytes | None, more: PictureMetadata) -> bytes:
    """A sidecar with what another picture says besides; all that stood in it stays as it was.

    Parameters
    ----------
    data : bytes or None
        The sidecar as it is; None: there is none yet.
    more : PictureMetadata
        Of which is added what the sidecar lacks.

    Returns
    -------
    bytes
        The very same where nothing is added.

    Raises
    ------
    XmpError
        It cannot be read, or there is no place in it for what would be added.
    """
    document = _parsed(_EMPTY if data is None else data)
    wanted = lacking(_metadata(document), more)
    if not wanted:
        return document.data if data is None else data
    if data is not None and not _is_utf8(data):
        raise XmpError("it is not written in UTF-8")
    if document.end < 0:
        raise XmpError("it holds no description of a picture")
    edits = _edits(document, wanted)
    made = document.data
    for start, end, text in sorted(edits, reverse=True):
        made = made[:start] + text.encode() + made[end:]
    if len(made) > MOST_BYTES or lacking(read_xmp(made), wanted):
        raise XmpError("there is no place in it for what would be added")
    return made


# ------------------------------------------------------------------------------------------------------- reading
def _parsed(data: bytes) -> _Document:
    if len(data) > MOST_BYTES:
        raise XmpError(f"it is larger than {MOST_BYTES:,} bytes")
    document = _Document(data)
    reader = _Reader(document)
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    reader.parser = parser
    wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))  # UTF-16, where half of the bytes may be 0
    try:
        parser.Parse(data if wide else data.rstrip(b" \t\r\n\0"), True)
    except expat.ExpatError as error:
        raise XmpError(f"no XML: {error}") from error
    if not reader.is_rdf:
        raise XmpError("it is no XMP")
    return document


def _refuse(*_: object) -> None:
    raise XmpError("it declares a document type, which XMP has none of")


class _Reader:
    """Handlers of the parser: they note the values of properties and where they stand."""

    def __init__(self, document: _Document) -> None:
        self.parser: expat.XMLParserType | None = None
        self.is_rdf = False
        self._document = document
        self._path: list[str] = []
        self._text: list[str] = []
        self._size = 0
        self._begins = 0  # where the text of the current element begins, bytes; of elements without attributes

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        if len(self._path) >= _DEEPEST:
            raise XmpError("it is nested too deep")
        own = _short(name)
        self._path.append(own)
        self._text, self._size = [], 0
        self._begins = self._after_tag()
        if own == "rdf:RDF":
            self.is_rdf = True
        if self._path[-2:] == ["rdf:RDF", "rdf:Description"]:
            for attribute, value in attributes.items():
                self._note_attribute(_short(attribute), value)

    def end(self, name: str) -> None:
        """An element ends."""
        own, at = _short(name), self._index
        owner = self._property()
        text = "".join(self._text).strip()
        ends = self._document.data[at : at + 2] == b"</"  # else an empty element, which has one tag only
        if own == "rdf:RDF" and ends:
            self._document.end = at
        elif owner is not None and own in _LIST_ENDS and self._path[-2] == owner and ends:
            self._document.list_ends[owner] = at
        elif owner is not None and own in (owner, "rdf:li", "rdf:value") and (text or own == owner):
            self._document.found.setdefault(owner, []).append(text)
            if owner == "xmp:Rating" and own == owner and ends:
                self._document.rating = (self._begins, at)
        self._path.pop()
        self._text, self._size = [], 0

    def text(self, text: str) -> None:
        """Text between tags."""
        self._size += len(text)
        if self._size <= _LONGEST:
            self._text.append(text)

    def _property(self) -> str | None:
        """The property of a description within which the current element lies, or that it is."""
        for depth, name in enumerate(self._path[:-2]):
            if name == "rdf:RDF" and self._path[depth + 1] == "rdf:Description":
                return self._path[depth + 2]
        return None

    def _note_attribute(self, name: str, value: str) -> None:
        if name in ("rdf:about", "about"):
            self._document.about = self._document.about or value
            return
        self._document.found.setdefault(name, []).append(value)
        if name == "xmp:Rating":
            tag = self._document.data[self._index : self._after_tag()]
            match = re.search(rb"""[\w.-]+:Rating\s*=\s*["']([^"']*)["']""", tag)
            if match is not None:
                self._document.rating = (self._index + match.start(1), self._index + match.end(1))

    @property
    def _index(self) -> int:
        return self.parser.CurrentByteIndex if self.parser is not None else 0

    def _after_tag(self) -> int:
        """Where the tag that begins here ends: after the first ``>`` that stands in no attribute."""
        match = _TAG.match(self._document.data, self._index)
        return self._index if match is None else match.end()


_TAG = re.compile(rb"""<(?:[^"'>]|"[^"]*"|'[^']*')*>""")


def _short(name: str) -> str:
    """A name with the prefix that is usual for its namespace; the whole name of others."""
    address, _, local = name.rpartition(" ")
    return f"{_PREFIXES[address]}:{local}" if address in _PREFIXES else name


def _metadata(document: _Document) -> PictureMetadata:
    latitude, longitude = (values.degrees_of(document.first(f"exif:GPS{name}")) for name in ("Latitude", "Longitude"))
    known = not (math.isnan(latitude) or math.isnan(longitude))
    paths = [
        *document.found.get("lr:hierarchicalSubject", ()),
        *(tag.replace("/", "|") for tag in document.found.get("digiKam:TagsList", ())),
    ]
    return PictureMetadata(
        rating=values.rating_of(document.first("xmp:Rating")),
        keywords=values.keywords_of(document.found.get("dc:subject", ())),
        hierarchy=tuple(path for path in values.keywords_of(paths) if "|" in path),
        description=values.description_of(document.first("dc:description")),
        position=values.position_of(latitude, longitude) if known else None,
        taken=next((time for name in _DATES if (time := values.taken_of(document.first(name)))), ""),
    )


# ------------------------------------------------------------------------------------------------------- adding
def _edits(document: _Document, wanted: PictureMetadata) -> list[tuple[int, int, str]]:
    """Replacements (start, end, text) that add what is wanted; what has no place yet goes into a new description.

    Raises
    ------
    XmpError
        A property is there, and is empty or of another form than it should be.
    """
    edits: list[tuple[int, int, str]] = []
    own: list[str] = []
    for name, words in zip(_BAGS, (wanted.keywords, wanted.hierarchy), strict=True):
        if name in document.list_ends:
            at = document.list_ends[name]
            edits.append((at, at, "".join(f'<rdf:li xmlns:rdf="{_RDF}">{escape(word)}</rdf:li>' for word in words)))
        elif words:
            _require_absent(document, name)
            items = "".join(f"<rdf:li>{escape(word)}</rdf:li>" for word in words)
            own.append(f"<{name}><rdf:Bag>{items}</rdf:Bag></{name}>")
    if wanted.rating is not None and document.rating is not None:
        edits.append((*document.rating, str(wanted.rating)))  # instead of 0, or of nothing
    elif wanted.rating is not None:
        own.append(_simple(document, "xmp:Rating", str(wanted.rating)))
    if wanted.description:
        _require_absent(document, "dc:description")
        text = f'<rdf:li xml:lang="x-default">{escape(wanted.description)}</rdf:li>'
        own.append(f"<dc:description><rdf:Alt>{text}</rdf:Alt></dc:description>")
    if wanted.position is not None:
        for name, degrees, sides in zip(("Latitude", "Longitude"), wanted.position, ("NS", "EW"), strict=True):
            own.append(_simple(document, f"exif:GPS{name}", values.degrees_text(degrees, sides)))
    if wanted.taken:
        own.append(_simple(document, "exif:DateTimeOriginal", wanted.taken))
    if own:
        spaces = " ".join(f'xmlns:{prefix}="{address}"' for prefix, address in _NAMESPACES.items())
        about = escape(document.about, {'"': "&quot;"})
        lines = "".join(f"   {line}\n" for line in own)
        text = f'  <rdf:Description rdf:about="{about}" {spaces}>\n{lines}  </rdf:Description>\n'
        edits.append((document.end, document.end, text))
    return edits


def _simple(document: _Document, name: str, value: str) -> str:
    _require_absent(document, name)
    return f"<{name}>{escape(value)}</{name}>"


def _require_absent(document: _Document, name: str) -> None:
    if name in document.found:
        raise XmpError(f"{name} is there, and empty or of another form than it should be")


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    declared = re.match(rb"""(?:\xef\xbb\xbf)?<\?xml[^>]*encoding\s*=\s*["']([\w.-]+)["']""", data)
    return declared is None or declared[1].lower() in (b"utf-8", b"us-ascii", b"ascii")


_EMPTY = f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="dedupindex merge">
 <rdf:RDF xmlns:rdf="{_RDF}">
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>
""".encode()
