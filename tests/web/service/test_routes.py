"""What the service answers, and what it stores."""

import io
import json
import struct
import subprocess
import sys
import zlib
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from dedupindex import Index
from dedupindex.cli.selection import selection_of
from dedupindex.errors import DedupIndexError, IndexBusyError, ReadError, Reason, StoreError
from dedupindex.reports.jsonfile import path_json, report_json, to_json
from dedupindex.search.uploads import Uploads
from dedupindex.web.service.places import place_of
from tests.pictures import half, picture, save
from tests.web.service.conftest import READER, WRITER, by, encoded, ingest

SCRIPT = Path(sys.executable).parent / "dedupindex"
PLACE = "s3://bucket/folder/new picture.png"


def bomb(width=60_000, height=60_000):
    """A PNG of a few bytes that claims to be huge."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


def masked():
    pixels = np.dstack([picture(1), np.zeros((120, 160), np.uint8)])
    return encoded(pixels)


# nothing outside of a drawing is looked at, so there is nothing in it
DRAWN = "no_valid_pixels" if find_spec("resvg_py") else "unsupported"
BAD = {
    "empty": (b"", "empty"),
    "html": (b"<!DOCTYPE html><html><head><title>404</title></head></html>", "html"),
    "text": (b"nothing to see here", "not_an_image"),
    "truncated": (encoded(picture(9))[:3000], "truncated"),
    "damaged": (b"\x89PNG\r\n\x1a\n" + b"\0" * 200, "damaged"),
    "bomb": (bomb(), "too_large"),
    "pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "git_lfs_pointer"),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'><image href='http://127.0.0.1/x'/></svg>", DRAWN),
    "all masked": (masked(), "no_valid_pixels"),
}


def state(database):
    with Index.open(database, read_only=True) as index:
        return index.generation, {image.key: image.locations for image in index.images()}


# ---------------------------------------------------------------------------------------------------------- query
def test_a_query_answers_as_the_command_does(reader, own, tmp_path):
    pictures = half(picture(1)), picture(3), picture(5)[20:, 10:], picture(99)
    files = [save(tmp_path / f"q{number}.png", pixels) for number, pixels in enumerate(pictures)]
    command = [SCRIPT, "-d", own, "query", *files, "--json", "--limit", "5"]
    told = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["queries"]
    for file, answers in zip(files, told, strict=True):
        found = reader.post("/api/query?limit=5", files={"image": (file.name, file.read_bytes())}).json()
        assert (found["schema"], found["kind"], found["name"]) == (2, "query", file.name)
        assert found["matches"] == answers["matches"]
    assert [bool(answers["matches"]) for answers in told] == [True, True, True, False]


def test_a_query_changes_nothing(reader, own):
    before = state(own)
    reader.post("/api/query", files={"image": ("x.png", encoded(picture(50)))})
    assert state(own) == before


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_picture_is_refused_with_its_reason(writer, own, kind):
    data, reason = BAD[kind]
    before = state(own)
    for answer in (
        writer.post("/api/query", files={"image": ("<b>odd\u202e name</b>.png", data)}),
        ingest(writer, data, "upload:/odd.png"),
    ):
        assert (answer.status_code, answer.json()["reason"]) == (422, reason), answer.text
        assert "tmp" not in answer.json()["error"]
        assert answer.json()["error"].isprintable()
    assert state(own) == before


def test_requests_that_are_none(writer):
    assert writer.post("/api/query").json()["reason"] == "request"
    assert writer.post("/api/query", data={"image": "no file"}).status_code == 422
    assert writer.post("/api/query?limit=0", files={"image": ("x", b"x")}).status_code == 422
    assert writer.post("/api/ingest", files={"image": ("x", b"x")}).status_code == 422  # no place
    kind = {"content-type": "multipart/form-data; boundary=b"}
    assert writer.post("/api/query", content=b"--b\r\nrubbish", headers=kind).status_code in (400, 422)
    assert writer.post("/api/query", content=b"x", headers={"content-type": "multipart/form-data"}).status_code == 400
    assert writer.get("/api/report?across=/a").status_code == 422
    assert writer.get("/api/report?relation=none").status_code == 422
    assert writer.get("/api/report?since=never").json()["reason"] == "request"
    assert writer.get("/api/report?since=0000-01-01").json()["reason"] == "request"
    for end in ("0001-01-01", "9999-12-31"):
        assert writer.get(f"/api/report?since={end}").status_code == 200


# --------------------------------------------------------------------------------------------------------- ingest
def test_an_upload_is_found_at_once_by_another_replica(replica, own, writer):
    other = by(replica(own), READER)
    new = encoded(picture(60))
    ask = {"files": {"image": ("q.jpg", encoded(half(picture(60)), "JPEG", quality=90))}}
    assert other.post("/api/query", **ask).json()["matches"] == []
    made = ingest(writer, new, PLACE).json()
    assert (made["kind"], made["new"], made["added"], made["placed"]) == ("ingest", True, 1, 1)
    assert (made["failure"], made["matches"]) == (None, None)
    [match] = other.post("/api/query", **ask).json()["matches"]
    assert match["image"]["key"] == made["key"]
    assert match["image"] == made["images"][0]
    assert other.get(f"/api/images/{made['key']}").json()["image"] == made["images"][0]


def test_twice_is_as_good_as_once(writer, own):
    new = encoded(picture(61))
    first = ingest(writer, new, PLACE).json()
    before = state(own)
    again = ingest(writer, new, PLACE).json()
    assert (again["new"], again["added"], again["placed"], again["key"]) == (False, 0, 0, first["key"])
    assert again["images"] == first["images"]
    assert state(own) == before
    elsewhere = ingest(writer, new, "upload:/copy.png").json()
    assert (elsewhere["new"], elsewhere["placed"]) == (False, 1)
    paths = {place["path"] for place in elsewhere["images"][0]["locations"]}
    assert len(paths) == 2
    assert "upload:/copy.png" in paths


def test_a_place_shows_what_came_last(writer):
    one, two = (ingest(writer, encoded(picture(n)), PLACE).json() for n in (62, 63))
    assert two["placed"] == 1
    assert writer.get(f"/api/images/{one['key']}").json()["image"]["locations"] == []
    back = ingest(writer, encoded(picture(62)), PLACE).json()
    assert (back["new"], back["placed"], back["key"]) == (False, 1, one["key"])
    assert writer.get(f"/api/images/{two['key']}").json()["image"]["locations"] == []


def test_frames_of_a_stack(writer, own):
    stack = np.stack([picture(n)[..., 0] for n in (64, 65, 66)])
    data = io.BytesIO()
    np.save(data, stack)
    made = ingest(writer, data.getvalue(), "upload:/stack.npy").json()
    assert (made["added"], [image["frame"] for image in made["images"]]) == (3, [0, 1, 2])
    assert ingest(writer, data.getvalue(), "upload:/stack.npy").json()["placed"] == 0
    later = made["images"][2]["key"]
    assert later.endswith("#2")
    assert writer.get(f"/api/images/{later.replace('#', '%23')}").json()["image"] == made["images"][2]
    alone = ingest(writer, encoded(picture(64)), "upload:/stack.npy").json()
    assert alone["added"] == 1
    assert writer.get(f"/api/images/{later.replace('#', '%23')}").json()["image"]["locations"] == []


def test_matches_at_once_and_pairs_in_the_report(writer):
    own = ingest(writer, encoded(half(picture(4)), "JPEG"), "upload:/small4.jpg", find=True).json()
    assert own["matches"]
    assert own["key"] not in {match["image"]["key"] for match in own["matches"]}
    twin = own["matches"][0]["image"]["key"]
    found = writer.get("/api/report?find=true&path=upload:/small4.jpg").json()
    assert found["total"] == 1
    assert {own["key"], twin} <= {member["key"] for member in found["groups"][0]["members"]}
    assert writer.post("/api/find?wait=true").json() == {"schema": 2, "kind": "find", "state": "done", "found": None}
    begun = writer.post("/api/find")
    assert (begun.status_code, begun.json()["state"]) == (202, "begun")


def test_a_search_on_request_says_what_it_did(writer):
    ingest(writer, encoded(half(picture(3)), "JPEG"), "upload:/small3.jpg")
    found = writer.post("/api/find?wait=true").json()["found"]
    assert found["searched"] == 1
    assert found["accepted"] >= 1


# --------------------------------------------------------------------------------------------------------- places
@pytest.mark.parametrize(
    "place",
    [
        "", "x.png", "../x.png", "/etc/passwd", "~/x.png", "file:///etc/passwd", "FILE:/x", "upload:", "upload:/",
        "upload:/../x", "upload:/a/../../x", "s3://bucket/../x", "C:/x.png", "upload:/a\nb", "upload:/a\0b",
        "upload:/\u202e", "upload:/" + "x" * 2000, "javascript:/x", ":/x", "//host/x", "http:x",
        "s3://bucket/a//b", "s3://bucket/./b", "s3://bucket/b/", "s3:///b", "https://me:secret@host/x.png",
    ],
)  # fmt: skip
def test_places_that_are_none(writer, own, place):
    before = state(own)
    answer = ingest(writer, encoded(picture(70)), place)
    assert (answer.status_code, answer.json()["reason"]) in ((400, "request"), (422, "request"))
    assert state(own) == before


def test_places_are_names_that_nobody_opens(writer, replica, own, tmp_path, monkeypatch):
    import socket

    def refuse(*_):
        raise AssertionError("something was fetched")

    file = save(tmp_path / "roots" / "there.png", picture(71))
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    for place in ("http://127.0.0.1:1/x.png", "https://evil.example/x.png", "s3://bucket/x.png", "sftp://h/x"):
        made = ingest(writer, encoded(picture(70)), place)
        assert made.status_code == 200
        assert made.json()["path"] == path_json(place_of(place, ()))["path"]
    assert ingest(writer, encoded(picture(70)), str(file)).status_code == 400
    client = by(replica(own, allow_roots=(tmp_path / "roots",)), WRITER)
    assert ingest(client, encoded(picture(70)), str(file)).json()["key"] != ""
    for outside in (tmp_path / "other.png", tmp_path / "roots", tmp_path / "roots-not" / "x", "/roots/x"):
        assert ingest(client, encoded(picture(70)), str(outside)).status_code == 400
    for text in ("s3://b/k.png", "S3://b/k.png", "s3:/b/k.png"):
        assert place_of(text, ()).parts == ("s3:", "b", "k.png")


# -------------------------------------------------------------------------------------------------------- reports
def test_a_report_is_that_of_the_command_page_by_page(reader, own):
    with Index.open(own, read_only=True) as index:
        whole = json.loads(to_json(report_json(index.report(find=False))))
    found = reader.get("/api/report").json()
    assert found.pop("total") == len(whole["groups"])
    assert found.pop("next") is None
    by_id = {group["id"]: group for group in whole.pop("groups")}
    assert found.pop("groups") == [by_id[name] for name in sorted(by_id)]
    assert found == whole
    assert len(by_id) >= 4
    pages, after = [], ""
    while after is not None:
        page = reader.get("/api/report", params={"limit": 1, "after": after}).json()
        pages += [group["id"] for group in page["groups"]]
        after = page["next"]
    assert pages == sorted(by_id)
    one = pages[0]
    assert reader.get(f"/api/groups/{one}").json()["group"] == by_id[one]
    assert reader.get("/api/groups/none").status_code == 404


def test_a_page_begins_where_the_last_one_ended_whatever_comes_between(writer):
    first = writer.get("/api/report?limit=2").json()
    seen = [group["id"] for group in first["groups"]]
    group_list = {group["id"] for group in writer.get("/api/report").json()["groups"]}
    for number in range(4):
        for copy in ("a", "b"):
            ingest(writer, encoded(picture(80 + number)), f"upload:/{number}{copy}.png")
    assert writer.get("/api/report").json()["total"] == len(group_list) + 4
    after = first["next"]
    while after is not None:
        page = writer.get("/api/report", params={"limit": 2, "after": after}).json()
        seen += [group["id"] for group in page["groups"]]
        after = page["next"]
    assert len(seen) == len(set(seen))
    assert group_list <= set(seen)


def test_a_report_is_narrowed_as_by_the_flags(reader, own, scanned):
    pictures, copies = str(scanned / "pictures"), str(scanned / "pictures" / "copies")
    cases = [
        ({"relation": "same_bytes"}, {"relation": ["same_bytes"]}),
        ({"relation": ["same_bytes", "crop_of"]}, {"relation": ["same_bytes", "crop_of"]}),
        ({"not_relation": ["same_bytes", "resized"]}, {"not_relation": ["same_bytes", "resized"]}),
        ({"path": copies}, {"path": [Path(copies)]}),
        ({"across": [copies, pictures]}, {"across": (Path(copies), Path(pictures))}),
        ({"folder": "same"}, {"same_folder": True}),
        ({"folder": "other", "min_score": 0.9}, {"other_folder": True, "min_score": 0.9}),
        ({"decided": True}, {"decided": True}),
        ({"since": "1"}, {}),
        ({"since": "last"}, {}),
    ]
    none = dict.fromkeys(("relation", "not_relation", "min_score", "path", "across"))
    none |= dict.fromkeys(("same_folder", "other_folder", "decided"), False)
    totals = set()
    with Index.open(own, read_only=True) as index:
        for asked, flags in cases:
            selection = selection_of(**none | flags)
            told = json.loads(to_json(report_json(index.report(asked.get("since"), selection=selection))))
            found = reader.get("/api/report", params=asked).json()
            totals.add(found.pop("total"))
            assert found.pop("next") is None
            told["groups"].sort(key=lambda group: group["id"])
            for some in (told, found):
                some.get("changes", []).sort(key=lambda change: change["id"])
            assert found == told, asked
    assert len(totals) >= 3
    for path in ("pictures", "~/pictures", "/a/../b", "file:///etc"):
        answer = reader.get("/api/report", params={"path": path})
        assert answer.status_code == 400
        assert str(scanned) not in answer.text


# --------------------------------------------------------------------------------------------------------- images
def test_images_and_their_thumbnails(reader, own):
    with Index.open(own, read_only=True) as index:
        images = list(index.images())
    for image in images:
        told = reader.get(f"/api/images/{image.key}").json()["image"]
        assert (told["key"], told["width"], len(told["locations"])) == (image.key, image.width, len(image.locations))
    small = reader.get(f"/api/images/{images[0].key}/thumbnail.jpg")
    assert small.headers["content-type"] == "image/jpeg"
    assert small.content.startswith(b"\xff\xd8")
    tag = {"if-none-match": small.headers["etag"]}
    assert reader.get(f"/api/images/{images[0].key}/thumbnail.jpg", headers=tag).status_code == 304
    for key in ("x", "0" * 64, images[0].key[:20], images[0].key + "%239", "..%2f..%2fetc%2fpasswd", "%00"):
        assert reader.get(f"/api/images/{key}").status_code == 404
        assert reader.get(f"/api/images/{key}/thumbnail.jpg").status_code == 404


def test_failures_and_info(reader, own):
    found = reader.get("/api/failures").json()
    assert (found["kind"], found["total"]) == ("failures", 1)
    assert found["failures"][0]["path"].endswith("broken.jpg")
    assert reader.get("/api/failures?offset=1").json()["failures"] == []
    told = reader.get("/api/info").json()["info"]
    assert told["images"] > 5
    assert str(own) not in json.dumps(told)


# --------------------------------------------------------------------------------------------------------- errors
@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (StoreError("/secret/p.db: disk I/O error"), 503, "catalogue"),
        (IndexBusyError("/secret/p.db: process 7"), 503, "busy"),
        (DedupIndexError("secret"), 503, "catalogue"),
        (ReadError(Path("x.png"), Reason.INTERNAL, "a fault in secret.py:12"), 500, "internal"),
        (ReadError(Path("x.png"), Reason.WORKER_DIED, "it died"), 422, "worker_died"),
        (ValueError("secret"), 500, "internal"),
        (MemoryError("secret"), 500, "internal"),
    ],
)
def test_errors_tell_nothing_of_the_inside(reader, monkeypatch, caplog, error, status, reason):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(Uploads, "matches", fail)
    answer = reader.post("/api/query", files={"image": ("x.png", b"x")})
    assert (answer.status_code, answer.json()["reason"]) == (status, reason)
    assert "secret" not in answer.text
    assert answer.headers["x-request-id"]
    assert ("retry-after" in answer.headers) == (status == 503)
    if status >= 500 and reason != "busy":
        assert "secret" in caplog.text


def test_a_catalogue_of_hashes_takes_no_uploads_and_answers_queries(replica, tmp_path):
    save(tmp_path / "set" / "a.png", picture(60))
    with Index.open(tmp_path / "h.db", create=True, workers=1, hash_only=True) as index:
        index.ingest([tmp_path / "set"])
        [key] = [image.key for image in index.images()]
    client = by(replica(tmp_path / "h.db"), WRITER)
    refused = ingest(client, encoded(picture(61)), PLACE)
    assert refused.status_code == 400
    assert "holds hashes only" in refused.text
    ask = {"files": {"image": ("q.jpg", encoded(half(picture(60)), "JPEG", quality=90))}}
    [match] = client.post("/api/query", **ask).json()["matches"]
    assert match["image"]["key"] == key
    assert client.get(f"/api/images/{key}/thumbnail.jpg").status_code == 404
