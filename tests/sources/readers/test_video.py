import dataclasses

import numpy as np
import pytest

from dedupindex.errors import Reason
from dedupindex.places import MILLISECONDS
from dedupindex.records import FoundFile
from dedupindex.settings import Settings
from dedupindex.sources import decode_file, is_candidate
from dedupindex.sources import reading as bytes_of_files
from dedupindex.sources.readers import documents, video
from tests.pictures import picture
from tests.sources.readers import making
from tests.sources.reading import fails, only

pytest.importorskip("av")

SCENES = [(picture(seed, 120, 160), seconds) for seed, seconds in ((1, 1.0), (2, 2.0), (3, 0.5), (4, 1.5))]
KINDS = [("mp4", "libx264"), ("mov", "libx264"), ("matroska", "libx264"), ("webm", "libvpx-vp9"), ("avi", "mpeg4")]


def clip(path, scenes=SCENES, **options):
    path.write_bytes(making.video(scenes, **options))
    return path


def near(one, other):
    return np.corrcoef(one.astype(float).ravel(), other.astype(float).ravel())[0, 1]


@pytest.mark.parametrize(("kind", "codec"), KINDS)
def test_a_frame_for_each_scene_by_its_time(tmp_path, kind, codec):
    path = clip(tmp_path / "a.mp4", kind=kind, codec=codec)  # the bytes tell the container
    decoded = decode_file(path, Settings())
    assert decoded.format == "VIDEO"
    times = [frame.number / MILLISECONDS for frame in decoded.frames]
    assert times == pytest.approx([0.0, 1.0, 3.0, 3.5], abs=0.11)
    assert decoded.numbers == tuple(frame.number for frame in decoded.frames)
    for frame, (pixels, _) in zip(decoded.frames, SCENES, strict=True):
        assert near(frame.pixels, pixels) > 0.85
    again = decode_file(path, Settings())
    assert [frame.number for frame in again.frames] == [frame.number for frame in decoded.frames]


@pytest.mark.parametrize(("kind", "codec"), KINDS)
def test_a_frame_is_found_again_by_its_time(tmp_path, kind, codec):
    path = clip(tmp_path / "a.mp4", kind=kind, codec=codec)
    every = decode_file(path, Settings(), min_side=None).frames
    for frame in every:
        single = only(path, frame=frame.number, min_side=None)
        assert single.number == frame.number
        assert np.array_equal(single.pixels, frame.pixels)
    assert near(only(path, frame=2_250).pixels, SCENES[1][0]) > 0.85  # any time will do
    assert "60 seconds" in fails(path, Reason.MISSING, frame=60_000).detail


def test_frames_are_kept_small_where_less_is_needed(tmp_path):
    path = clip(tmp_path / "a.mp4", [(picture(1, 480, 640), 0.5)])
    frame = only(path, min_side=100)
    assert (frame.pixels.shape[:2], frame.full_shape) == ((150, 200), (480, 640))


def test_no_more_frames_than_asked_for_the_first_among_them(tmp_path):
    scenes = [(picture(seed, 60, 80), 0.3) for seed in range(20)]
    path = clip(tmp_path / "a.mp4", scenes)
    assert decode_file(path, Settings()).frame_count == 20
    few = decode_file(path, Settings(video_frames=5))
    assert few.frame_count == 5
    assert few.frames[0].number == 0


def test_a_fade_gives_its_end(tmp_path):
    first, last = picture(1, 120, 160).astype(float), picture(2, 120, 160).astype(float)
    steps = [((first + (last - first) * share).astype(np.uint8), 0.1) for share in np.linspace(0, 1, 5)]
    path = clip(tmp_path / "a.mp4", [(SCENES[0][0], 1.0), *steps[1:-1], (SCENES[1][0], 1.0)])
    frames = decode_file(path, Settings()).frames
    assert [near(frame.pixels, last) > 0.97 for frame in frames] == [False, True]


def test_of_a_long_video_key_frames_are_looked_at(tmp_path, monkeypatch):
    path = clip(tmp_path / "a.mp4", g="10")
    looked = []
    look = video._look
    monkeypatch.setattr(video, "_look", lambda frame: looked.append(1) or look(frame))
    decode_file(path, Settings())
    assert len(looked) == 50
    looked.clear()
    monkeypatch.setattr(video, "FULL_PIXELS", 1e5)
    assert len(decode_file(path, Settings()).frames) >= 3
    assert len(looked) == 5


@pytest.mark.parametrize(("kind", "codec"), KINDS)
def test_key_frames_of_a_long_video_come_at_even_steps(tmp_path, monkeypatch, kind, codec):
    scenes = [(picture(seed, 60, 80), 1.0) for seed in range(12)]
    path = clip(tmp_path / "a.mp4", scenes, kind=kind, codec=codec, g="5")
    monkeypatch.setattr(video, "FULL_PIXELS", 1e5)
    assert decode_file(path, Settings()).frame_count >= 10
    monkeypatch.setattr(video, "KEY_LOOKS", 4)
    few = decode_file(path, Settings())
    assert 3 <= few.frame_count <= 5
    assert few.frames[0].number == 0
    assert few.frames[-1].number >= 7_000


def test_a_large_file_is_not_held_in_memory(tmp_path, monkeypatch):
    path = clip(tmp_path / "a.mp4")
    whole = decode_file(path, Settings())
    monkeypatch.setattr(bytes_of_files, "WHOLE", 100)
    monkeypatch.setattr(bytes_of_files, "BEGINNING", 200)
    beginning = decode_file(path, Settings())
    assert (beginning.sha256, beginning.size) == (whole.sha256, whole.size)
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(whole.frames, beginning.frames, strict=True))
    fails(path, Reason.TOO_LARGE, Settings(max_bytes=100))


def test_a_video_that_breaks_off_gives_what_is_there(tmp_path):
    path = clip(tmp_path / "a.mkv", kind="matroska")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    assert 1 <= decode_file(path, Settings()).frame_count < 4


def test_sound_alone_is_no_picture(tmp_path):
    import av

    with av.open(str(tmp_path / "a.mkv"), "w", format="matroska") as container:
        track = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1000), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(track.encode(frame))
        container.mux(track.encode(None))
    assert fails(tmp_path / "a.mkv", Reason.NOT_AN_IMAGE).detail == "no video track"


def test_a_playlist_leads_nowhere(tmp_path):
    clip(tmp_path / "real.ts", kind="mpegts")
    for text in ("#EXTM3U\n#EXTINF:5,\nreal.ts\n#EXT-X-ENDLIST\n", "ffconcat version 1.0\nfile real.ts\n"):
        (tmp_path / "a.mp4").write_text(text)
        fails(tmp_path / "a.mp4", Reason.NOT_AN_IMAGE)


def test_a_header_that_announces_too_much_costs_nothing(tmp_path):
    path = clip(tmp_path / "a.mp4", [(picture(1, 480, 640), 0.5)])
    assert "640 x 480 pixels" in fails(path, Reason.TOO_LARGE, Settings(max_pixels=100_000)).detail


def test_videos_in_folders_are_taken_where_the_extra_is_there(tmp_path, monkeypatch):
    path = clip(tmp_path / "a.mp4")
    found = FoundFile(path, path.stat().st_size, 0, 0)
    assert is_candidate(found, documents=documents.document_suffixes(Settings()))
    assert not is_candidate(found, documents=documents.document_suffixes(Settings(video_frames=0)))
    monkeypatch.setattr(documents, "installed", lambda module: False)
    assert not is_candidate(found, documents=documents.document_suffixes(Settings()))
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    assert "extra 'video'" in fails(path, Reason.UNSUPPORTED).detail  # somebody named it


def test_the_video_of_a_live_photo_is_not_taken_from_a_folder(tmp_path, monkeypatch):
    path = clip(tmp_path / "a.mov", kind="mov")
    found = FoundFile(path, path.stat().st_size, 0, 0)
    assert not documents.is_live_photo(found)
    monkeypatch.setattr(documents, "content_id", lambda path: "A1B2")
    assert documents.is_live_photo(found)
    assert not documents.is_live_photo(dataclasses.replace(found, explicit=True))


def test_looks_at_even_steps(tmp_path):
    path = clip(tmp_path / "a.mp4")
    source = video.Source(path, path.read_bytes(), Settings())
    clip_looks = video.read_looks(source, 100)
    assert clip_looks.looks.shape == (10, 32, 32)
    assert clip_looks.times == pytest.approx(np.arange(10) / 2, abs=0.11)
    assert clip_looks.duration == pytest.approx(5, abs=0.11)
    assert len(video.read_looks(source, 4).looks) == 4
