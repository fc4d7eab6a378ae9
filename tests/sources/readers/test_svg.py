import gzip
import time

import numpy as np
import pytest

from dedupindex.errors import Reason
from dedupindex.settings import Settings
from dedupindex.sources.readers.svg import harmless
from tests.pictures import picture, save
from tests.sources.readers import making
from tests.sources.reading import fails, only

pytest.importorskip("resvg_py")

ROOT = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
PIXELS = picture(5, 240, 320)


def drawn(tmp_path, text, name="a.svg", **options):
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return only(path, **options)


def shown(frame):
    """The colours in a frame."""
    return {tuple(colour) for colour in np.unique(frame.pixels.reshape(-1, 3), axis=0).tolist()}


def test_a_picture_in_a_drawing_is_drawn(tmp_path):
    frame = drawn(tmp_path, making.svg(PIXELS))
    assert np.array_equal(frame.pixels, PIXELS)
    assert frame.mask.all()
    packed = drawn(tmp_path, gzip.compress(making.svg(PIXELS)), "a.svgz")
    assert np.array_equal(packed.pixels, PIXELS)


@pytest.mark.parametrize(
    ("attributes", "shape"),
    [
        ('viewBox="0 0 10 20"', (256, 128)),
        ('width="4000" height="1000"', (256, 1024)),
        ('width="300" height="100%"', (100, 300)),
        ('width="50mm" viewBox="0 0 1 2"', (378, 189)),
        ("", (256, 256)),
    ],
)
def test_sizes_are_bounded(tmp_path, attributes, shape):
    frame = drawn(tmp_path, f'{ROOT} {attributes}><rect width="100%" height="100%" fill="red"/></svg>')
    assert frame.full_shape == shape


def test_nothing_outside_of_the_file_is_read(tmp_path):
    save(tmp_path / "secret.png", PIXELS)
    secret = tmp_path / "secret.png"
    here = '<rect width="100" height="100" fill="#123456"/>'
    for reference in (f'href="{secret}"', f"xlink:href='file://{secret}'", 'href="secret.png"', f'href = "\n{secret}"'):
        text = f'{ROOT} width="300" height="300">{here}<image width="300" height="300" {reference}/></svg>'
        frame = drawn(tmp_path, text)
        assert shown(frame) <= {(0x12, 0x34, 0x56), (255, 255, 255)}, reference  # the rectangle, on white
    entity = f'<!DOCTYPE svg [<!ENTITY a "{secret}"><!ENTITY e "<image href=\'{secret}\'/>">]>'
    inside = f'{ROOT} width="300" height="300">{here}<image width="300" height="300" href="&a;"/></svg>'
    frame = drawn(tmp_path, entity + inside)
    assert shown(frame) <= {(0x12, 0x34, 0x56), (255, 255, 255)}
    leads_out = f"{entity}{ROOT}>&e;</svg>"
    assert "secret" not in harmless(leads_out)


def test_own_parts_and_plain_entities_stay():
    text = '<!DOCTYPE svg [<!ENTITY ns "http://x/">]><svg xmlns="&ns;"><use href="#a"/><image href="data:x"/></svg>'
    assert harmless(text) == '<svg xmlns="http://x/"><use href="#a"/><image href="data:x"/></svg>'


def test_bombs_are_refused_or_end_soon(tmp_path):
    laughs = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    bombs = {
        "laughs.svg": f'<!DOCTYPE svg [<!ENTITY a0 "ha">{laughs}]>{ROOT}>&a11;</svg>'.encode(),
        "growth.svg": f'<!DOCTYPE svg [<!ENTITY a "{"x" * 500}">]>{ROOT}>{"&a;" * 100_000}</svg>'.encode(),
        "packed.svgz": gzip.compress(b"<svg>" + b" " * 40_000_000),
    }
    began = time.monotonic()
    for name, data in bombs.items():
        (tmp_path / name).write_bytes(data)
        reason = Reason.TOO_LARGE if name == "packed.svgz" else Reason.DAMAGED
        fails(tmp_path / name, reason)
    assert time.monotonic() - began < 20


def test_a_drawing_that_is_too_narrow_is_refused(tmp_path):
    (tmp_path / "a.svg").write_text(f'{ROOT} width="1" height="5000"/>')
    assert "max_aspect" in fails(tmp_path / "a.svg", Reason.TOO_LARGE).detail


def test_without_the_package_its_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "resvg_py", None)
    (tmp_path / "a.svg").write_bytes(making.svg(PIXELS))
    assert "extra 'svg'" in fails(tmp_path / "a.svg", Reason.UNSUPPORTED, Settings()).detail
