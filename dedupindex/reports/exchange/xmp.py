"""Groups and decisions as keywords in XMP sidecar files, which photo managers read. Never in the pictures themselves.

Keywords stand as Lightroom and darktable have them (``lr:hierarchicalSubject``, ``dedupindex|duplicate|ID``), as
digiKam has them (``digiKam:TagsList``, ``dedupindex/duplicate/ID``), and flat (``dc:subject``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from dedupindex.places import is_local
from dedupindex.records import DecisionKind, ImageRecord
from dedupindex.records.reports import Report
from dedupindex.reports.names import is_text

ROOT = "dedupindex"
CREATOR = "dedupindex"  # by which its own files are known
Tag = tuple[str, ...]


def report_tags(report: Report) -> dict[Path, list[Tag]]:
    """Return the keywords of every file of a report that is there.

    Parameters
    ----------
    report : Report

    Returns
    -------
    dict of Path to list of tuple of str
        Each keyword as its path: ``("dedupindex", "duplicate", ID)``, ``("dedupindex", "relation", "resized")``,
        ``("dedupindex", "keeper")``, ``("dedupindex", "alternate", ID)``, ``("dedupindex", "decided", "keep-both")``.
        Files of other machines and in stores, and names that are no text, are left out.
    """
    tags: dict[Path, dict[Tag, None]] = defaultdict(dict)

    def put(image: ImageRecord, *tag: str) -> None:
        for place in image.locations:
            if not place.missing and is_local(place.path) and is_text(place.path):
                tags[place.path][ROOT, *tag] = None

    images: dict[str, ImageRecord] = {}
    for group in report.groups:
        for number, member in enumerate(group.members):
            images[member.image.key] = member.image
            put(member.image, "duplicate", group.id)
            if number == 0:
                put(member.image, "keeper")
            elif member.relation:
                for relation in member.relation.split("+"):
                    put(member.image, "relation", relation)
    for series in report.series:
        for one in series.members:
            images.setdefault(one.image.key, one.image)
            put(one.image, "alternate", series.id)
    for decision in report.decisions:
        kind = decision.kind.value if isinstance(decision.kind, DecisionKind) else str(decision.kind)
        for key in (decision.a, decision.b):
            if key in images:
                put(images[key], "decided", kind)
    return {path: list(of) for path, of in sorted(tags.items())}


def xmp_packet(tags: Sequence[Tag]) -> bytes:
    """Return an XMP file with keywords.

    Parameters
    ----------
    tags : sequence of tuple of str
        Keywords as their paths.
    """
    lists: Mapping[str, tuple[str, list[str]]] = {
        "dc:subject": ("Bag", list(dict.fromkeys(tag[-1] for tag in tags))),
        "lr:hierarchicalSubject": ("Bag", ["|".join(tag) for tag in tags]),
        "digiKam:TagsList": ("Seq", ["/".join(tag) for tag in tags]),
    }
    lines = [
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>',
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="{CREATOR}">',
        ' <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">',
        '  <rdf:Description rdf:about=""',
        '    xmlns:dc="http://purl.org/dc/elements/1.1/"',
        '    xmlns:lr="http://ns.adobe.com/lightroom/1.0/"',
        '    xmlns:digiKam="http://www.digikam.org/ns/1.0/">',
    ]
    for name, (kind, values) in lists.items():
        lines += [f"   <{name}>", f"    <rdf:{kind}>"]
        lines += [f"     <rdf:li>{escape(value)}</rdf:li>" for value in values]
        lines += [f"    </rdf:{kind}>", f"   </{name}>"]
    lines += ["  </rdf:Description>", " </rdf:RDF>", "</x:xmpmeta>", '<?xpacket end="w"?>', ""]
    return "\n".join(lines).encode()


def is_own(data: bytes) -> bool:
    """Return whether an XMP file was written by this program."""
    return f'x:xmptk="{CREATOR}"'.encode() in data[:1000]
