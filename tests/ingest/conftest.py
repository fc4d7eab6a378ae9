import shutil

import pytest

from tests.pictures import picture, save


@pytest.fixture
def library(tmp_path):
    """Five pictures, one of them at two places, and a file that cannot be read."""
    root = tmp_path / "alice"
    for number, name in enumerate(("0.png", "1.png", "2019/2.png", "2019/3.png", "2020/deep/4.png")):
        save(root / name, picture(number))
    shutil.copy2(root / "0.png", root / "2019" / "again.png")
    (root / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 and then nothing")
    return root
