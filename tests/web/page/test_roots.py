"""Pictures, tiles and parts show the content that was stored and nothing else, whatever its path leads to by now."""

import io
import os
import threading

import numpy as np
import pytest
from PIL import Image

from dedupindex import Index
from tests.pictures import picture, save

BOX = {"top": 10, "left": 10, "height": 60, "width": 80}


@pytest.fixture
def scene(serve, tmp_path):
    """(client, keys, image id, the stored picture's path, a secret one of the same size and time)."""
    mine, secret = tmp_path / "pictures" / "a.bmp", tmp_path / "secret" / "b.bmp"
    save(mine, picture(1, 120, 160))
    save(secret, 255 - picture(2, 120, 160))
    with Index.open(tmp_path / "p.db", create=True, workers=1) as index:
        index.ingest([mine.parent])
        image = index.image_at(mine).id
    status = mine.stat()
    assert secret.stat().st_size == status.st_size
    os.utime(secret, ns=(status.st_atime_ns, status.st_mtime_ns))
    client, keys = serve(tmp_path / "p.db")
    return client, keys, image, mine, secret


def shows(answer, pixels):
    """Whether an answer shows a picture, at its size or smaller."""
    got = Image.open(io.BytesIO(answer.content)).convert("RGB")
    wanted = Image.fromarray(pixels).convert("RGB").resize(got.size)
    return np.abs(np.asarray(got, np.int16) - np.asarray(wanted, np.int16)).mean() < 12


def asked(client, image, number=0):
    """Answers that show pixels of the file; each number is decoded anew."""
    low, high = number % 10, 11 + number % 9
    paths = (f"/tiles/{image}/0/0/0?low={low}&high={high}", f"/picture/{image}.jpg?side=1600")
    return [answer for answer in map(client.get, paths) if answer.status_code == 200]


def test_a_link_in_the_place_of_a_file_leads_nowhere(scene):
    client, keys, image, mine, secret = scene
    assert all(shows(answer, picture(1, 120, 160)) for answer in asked(client, image))
    mine.unlink()
    mine.symlink_to(secret)
    answers = asked(client, image, 1)
    assert [shows(answer, picture(1, 120, 160)) for answer in answers] == [True] * len(answers)  # the stored small one
    assert client.get(f"/tiles/{image}/0/0/0?low=2&high=12").status_code == 404
    for path in ("/tiles/../../etc/passwd", f"/tiles/{image}/0/0/..%2f..%2fsecret", f"/picture/..%2f{image}.jpg"):
        assert client.get(path).status_code in (404, 405, 422)
    assert client.post("/part", data={"csrf": keys.form, "image": image, **BOX}).status_code == 422


def test_nor_while_it_is_exchanged_over_and_over(scene, tmp_path):
    client, _, image, mine, secret = scene
    own = mine.rename(tmp_path / "own.bmp")
    stop = threading.Event()

    def exchange():
        number = 0
        while not stop.is_set():
            fresh = tmp_path / f"fresh{number}"
            (os.link if number % 2 else os.symlink)(own if number % 2 else secret, fresh)
            fresh.replace(mine)
            number += 1

    thread = threading.Thread(target=exchange)
    thread.start()
    try:
        answers = [answer for number in range(6) for answer in asked(client, image, number)]
    finally:
        stop.set()
        thread.join()
    assert answers
    for answer in answers:
        assert not shows(answer, 255 - picture(2, 120, 160))
        assert shows(answer, picture(1, 120, 160))
