import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedupindex.records.metadata import PictureMetadata, lacking
from dedupindex.sources.metadata import values
from dedupindex.sources.metadata.xmp import MOST_BYTES, XmpError, add_to_xmp, read_xmp

ALL = PictureMetadata(
    5, ("Rome", "a<b & c"), ("Places|Rome",), 'of "A" & <B>', (48.8584, -2.2945), "2024-05-01T12:00:00+02:00"
)
DARKTABLE = b"""<?xml version="1.0" encoding="UTF-8"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="XMP Core 4.4.0-Exiv2">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:x1="http://ns.adobe.com/xap/1.0/"
    xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:darktable="http://darktable.sf.net/"
   x1:Rating="0"
   darktable:history_end="3">
   <dc:subject>
    <rdf:Bag>
     <rdf:li>Old</rdf:li>
    </rdf:Bag>
   </dc:subject>
   <darktable:history>
    <rdf:Seq>
     <rdf:li darktable:operation="exposure" darktable:params="00>11"/>
    </rdf:Seq>
   </darktable:history>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
"""
ELEMENTS = b"""<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:d="http://www.digikam.org/ns/1.0/" xmlns:p="http://ns.adobe.com/photoshop/1.0/">
<rdf:Description rdf:about="uuid:1"><xmp:Rating> 0 </xmp:Rating><p:DateCreated>2020-02-03T04:05:06</p:DateCreated>
<d:TagsList><rdf:Seq><rdf:li>Places/Rome</rdf:li><rdf:li>flat</rdf:li></rdf:Seq></d:TagsList></rdf:Description></rdf:RDF>"""

text = st.text(min_size=1, max_size=30).map(values.text_of).filter(bool)
position = st.tuples(st.floats(-90, 90), st.floats(-180, 180)).map(lambda both: values.position_of(*both))
metadata = st.builds(
    PictureMetadata,
    rating=st.sampled_from([None, -1, 1, 2, 3, 4, 5]),
    keywords=st.lists(text, max_size=4).map(values.keywords_of),
    hierarchy=st.lists(st.tuples(text, text).map("|".join), max_size=3).map(values.keywords_of),
    description=text.map(values.description_of),
    position=st.one_of(st.none(), position),
    taken=st.sampled_from(["", "2024-05-01", "2024-05-01T12:00:00", "2024-05-01T12:00:00Z"]),
)


def test_a_new_sidecar_says_what_it_was_given():
    made = add_to_xmp(None, ALL)
    assert read_xmp(made) == ALL
    assert add_to_xmp(made, ALL) == made
    assert add_to_xmp(None, PictureMetadata()).count(b"rdf:Description") == 0


@given(metadata, metadata)
def test_adding_keeps_what_is_there_and_adds_what_is_lacking(one, other):
    first = add_to_xmp(None, one)
    both = read_xmp(add_to_xmp(first, other))
    assert not lacking(both, one)
    assert not lacking(both, other)
    assert both.rating == (one.rating if one.rating is not None else other.rating)
    assert both.keywords[: len(one.keywords)] == read_xmp(first).keywords


def test_what_others_wrote_stays_byte_by_byte():
    made = add_to_xmp(DARKTABLE, ALL)
    assert read_xmp(made) == PictureMetadata(
        5, ("Old", "Rome", "a<b & c"), ALL.hierarchy, ALL.description, ALL.position, ALL.taken
    )
    assert b'x1:Rating="5"' in made
    rest = iter(made)  # all old bytes but the rating are there, in their order
    assert all(byte in rest for byte in DARKTABLE.replace(b'"0"', b'"'))


def test_elements_instead_of_attributes_and_another_subject():
    assert read_xmp(ELEMENTS) == PictureMetadata(hierarchy=("Places|Rome",), taken="2020-02-03T04:05:06")
    made = add_to_xmp(ELEMENTS, ALL)
    assert b"<xmp:Rating>5</xmp:Rating>" in made
    assert made.count(b'rdf:about="uuid:1"') == 2
    assert read_xmp(made).taken == "2020-02-03T04:05:06"
    assert b"exif:DateTimeOriginal" not in made


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no XML"),
        (b"<a/>", "no XMP"),
        (b"<rdf:RDF>", "no XML"),
        (b'<!DOCTYPE a [<!ENTITY b "b">]>' + ELEMENTS, "document type"),
        (b'<!DOCTYPE rdf SYSTEM "file:///etc/passwd">' + ELEMENTS, "document type"),
        (b"<a>" * 100 + b"</a>" * 100, "nested too deep"),
        (ELEMENTS + b" " * MOST_BYTES, "larger"),
        (ELEMENTS.replace(b"flat", b"\xff"), "no XML"),
    ],
)
def test_what_is_refused(data, words):
    with pytest.raises(XmpError, match=words):
        read_xmp(data)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (DARKTABLE.decode().replace("UTF-8", "UTF-16").encode("utf-16"), "UTF-8"),
        (DARKTABLE.replace(b"UTF-8", b"ISO-8859-1").replace(b"Old", b"\xe4"), "UTF-8"),
        (b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"/>', "no description"),
        (ELEMENTS.replace(b"<xmp:Rating> 0 </xmp:Rating>", b"<xmp:Rating/>"), "xmp:Rating is there"),
    ],
)
def test_what_cannot_be_added_to(data, words):
    read_xmp(data)
    with pytest.raises(XmpError, match=words):
        add_to_xmp(data, ALL)


def test_values():
    assert values.rating_of("3.0") == 3
    assert values.rating_of("0") is values.rating_of("6") is values.rating_of("x") is None
    assert values.taken_of("2024:05:01 12:00:00", "+02:00") == "2024-05-01T12:00:00+02:00"
    assert values.taken_of("2024-05-01T12:00:00.123Z") == "2024-05-01T12:00:00Z"
    assert values.taken_of("0000:00:00 00:00:00") == values.taken_of("yesterday") == ""
    assert values.description_of("OLYMPUS DIGITAL CAMERA         ") == ""
    assert values.degrees_of("48,51,30N") == pytest.approx(48.858333)
    assert values.degrees_of("2,17.67W") == pytest.approx(-2.2945)
    assert math.isnan(values.degrees_of("48.5"))
    assert values.position_of(0, 0) is None
    assert values.text_of("a\x00b") == "a"


@given(st.floats(-180, 180))
def test_degrees_there_and_back(degrees):
    assert values.degrees_of(values.degrees_text(degrees, "EW")) == pytest.approx(degrees, abs=1e-7)
