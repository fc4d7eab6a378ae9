from pathlib import Path
from xml.etree import ElementTree

from dedupindex.reports.exchange.xmp import is_own, report_tags, xmp_packet
from tests.reports.samples import hostile_report

NAMES = {
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "dc": "http://purl.org/dc/elements/1.1/",
    "lr": "http://ns.adobe.com/lightroom/1.0/",
    "digiKam": "http://www.digikam.org/ns/1.0/",
}


def keywords(data, name):
    return [item.text for item in ElementTree.fromstring(data).findall(f".//{name}//rdf:li", NAMES)]


def test_keywords_come_back_in_each_form():
    tags = [("dedupindex", "duplicate", "a<b&c"), ("dedupindex", "keeper")]
    data = xmp_packet(tags)
    assert keywords(data, "lr:hierarchicalSubject") == ["dedupindex|duplicate|a<b&c", "dedupindex|keeper"]
    assert keywords(data, "digiKam:TagsList") == ["dedupindex/duplicate/a<b&c", "dedupindex/keeper"]
    assert keywords(data, "dc:subject") == ["a<b&c", "keeper"]
    assert is_own(data)
    assert not is_own(data.replace(b"dedupindex", b"exiftool"))


def test_hostile_names_give_keywords_of_files_that_can_have_them():
    for path, tags in report_tags(hostile_report()).items():
        assert isinstance(path, Path)
        assert path.is_absolute()
        assert all(tag[0] == "dedupindex" for tag in tags)
        ElementTree.fromstring(xmp_packet(tags))
