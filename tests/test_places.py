import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedupindex.errors import ReadError, Reason
from dedupindex.places import (
    SCHEMES,
    absolute,
    check_volume,
    is_local,
    keeps,
    on_volume,
    place_of,
    scheme_of,
    shards_above,
    text_of,
    volume_of,
)

PART = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=12).filter(
    lambda part: part not in (".", "..")
)


@pytest.mark.parametrize("scheme", ["s3", "gs", "memory", "https"])
@given(parts=st.lists(PART, min_size=1, max_size=5))
def test_a_url_comes_out_as_it_went_in(scheme, parts):
    url = f"{scheme}://bucket/{'/'.join(parts)}"
    place = place_of(url)
    assert text_of(place) == url
    assert not is_local(place)
    assert (scheme_of(place), volume_of(place)) == (scheme, "")
    assert absolute(Path(url.replace(scheme, scheme.upper(), 1))) == place
    assert absolute(place) == place == Path(url)  # an argument that was made a path first means the same


@given(parts=st.lists(PART, min_size=1, max_size=5))
def test_a_path_on_a_volume_keeps_its_name(parts):
    path = Path("/", *parts)
    place = on_volume(path, "laptop")
    assert text_of(place) == f"laptop:{path}"
    assert (scheme_of(place), volume_of(place)) == ("", "laptop")
    assert place_of(text_of(place)) == place
    assert Path("/", *place.parts[1:]) == path


def test_local_paths_are_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert place_of("a.jpg") == tmp_path / "a.jpg"
    assert place_of(f"file://{tmp_path}/a.jpg") == tmp_path / "a.jpg"
    assert absolute(Path(f"file://{tmp_path}/a.jpg")) == tmp_path / "a.jpg"
    assert text_of(Path("/a:b/c.jpg")) == "/a:b/c.jpg"
    assert is_local(place_of("/x/s3:/y"))


def test_a_folder_that_is_there_wins_over_a_volume(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "disk:").mkdir()
    assert place_of("disk:/") == tmp_path / "disk:"
    assert volume_of(place_of("other:/x")) == "other"


@pytest.mark.parametrize("url", ["s3://b//k", "s3://b/a/../k", "s3://b/./k", "https://h/a//b.jpg"])
def test_keys_that_a_path_would_change_are_refused(url):
    with pytest.raises(ValueError, match="cannot be told"):
        place_of(url)


def test_no_unknown_scheme_and_no_password():
    with pytest.raises(ValueError, match="no scheme foo"):
        place_of("foo://x/y")
    with pytest.raises(ValueError, match="no password") as caught:
        place_of("https://me:sesame@host/x.jpg")
    assert "sesame" not in str(caught.value)
    assert "me" not in str(caught.value).split("@")[0].removeprefix("https://")


@given(st.text(st.sampled_from("ab./"), max_size=9))
def test_what_keeps_says_is_what_a_path_does(key):
    assert keeps(key) == (
        key == "." or (str(Path("x") / key) == f"x/{key}" and ".." not in key.split("/") and key != "")
    )


@pytest.mark.parametrize("name", ["", "x", "s3", "file", "a/b", "a b", "HTTPS", "-a"])
def test_names_that_no_volume_can_have(name):
    with pytest.raises(ValueError, match="cannot be the name"):
        check_volume(name)


def test_names_that_volumes_have():
    assert [check_volume(name) for name in ("laptop", "disk-2", "NAS.old")] == ["laptop", "disk-2", "NAS.old"]
    assert "laptop" not in SCHEMES


def test_shards_above_are_told_by_name():
    assert shards_above(Path("/a/x.tar/y.TAR/z.jpg")) == [Path("/a/x.tar/y.TAR"), Path("/a/x.tar")]
    assert shards_above(Path("/a/x.tar")) == []


def test_errors_show_urls():
    error = ReadError(place_of("s3://b/k.jpg"), Reason.MISSING, "gone")
    assert str(error) == "s3://b/k.jpg: missing: gone"
    assert os.fspath(error.path) == "s3:/b/k.jpg"
