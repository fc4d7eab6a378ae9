"""A stack, and the search for a part, in a real browser."""

import pytest

from dedupindex import Index
from dedupindex.cli.sample_pictures import landscape
from tests.pictures import save
from tests.web.page.conftest import fits, looked_at, served, settled
from tests.web.page.test_parts import collage
from tests.web.page.test_stacks import make_alternates, write_burst


@pytest.fixture
def burst(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    write_burst(tmp_path / "pictures")
    with Index.open(tmp_path / "p.db", create=True, workers=1) as index:
        index.ingest([tmp_path / "pictures"])
        index.find_duplicates()
    make_alternates(tmp_path / "p.db")
    return tmp_path


@pytest.mark.parametrize("window", ["wide", "phone"])
def test_the_best_of_a_stack_by_hand(browser, burst, window):
    """Kinds of decisions by keys, each undone; then the best one, said before, the rest to the trash and back."""
    before = {path.name: path.read_bytes() for path in (burst / "pictures").iterdir()}
    with served(burst / "p.db") as address, looked_at(browser, address, window) as page:
        page.locator("a.group").click()
        settled(page)
        for key, words in (("y", "all pictures of the stack are to stay"), ("d", "the pictures are no stack")):
            with page.expect_navigation():
                page.keyboard.press(key)
            assert page.locator("#beside").count() == 0
            assert words in page.locator(".undo").text_content()
            with page.expect_navigation():
                page.keyboard.press("u")
            assert page.locator(".stack .member").count() == 3
        page.get_by_role("button", name="Keep only two.png of the stack").click()
        page.locator("h1", has_text="Keep only two.png of the stack").wait_for()
        assert "3 files (" in page.locator("main").inner_text()
        assert fits(page)
        page.locator("#trash-stack").click()
        page.locator(".toast").wait_for()
        assert sorted(path.name for path in (burst / "pictures").iterdir()) == ["two.png"]
        page.get_by_role("button", name="Take it back").click()
        page.locator("h1", has_text="Taken back").wait_for()
        assert {path.name: path.read_bytes() for path in (burst / "pictures").iterdir()} == before


def test_a_region_is_drawn_on_a_picture_of_a_group_and_on_an_uploaded_one(browser, tmp_path):
    save(tmp_path / "pictures" / "whole.png", landscape(3))
    save(tmp_path / "pictures" / "whole.jpg", landscape(3), quality=92)
    save(tmp_path / "pictures" / "page.png", collage(5))
    with Index.open(tmp_path / "p.db", create=True, workers=1, profile="pieces") as index:
        index.ingest([tmp_path / "pictures"])
        index.find_duplicates()

    def draw(page):
        """From (60, 40) to (300, 240) in pixels of the picture."""
        page.locator("#drawing").wait_for()
        frame = page.locator("#drawing image").bounding_box()
        scale = frame["width"] / 640
        page.mouse.move(frame["x"] + 60 * scale, frame["y"] + 40 * scale)
        page.mouse.down()
        page.mouse.move(frame["x"] + 300 * scale, frame["y"] + 240 * scale, steps=5)
        page.mouse.up()
        drawn = [int(page.locator(f"[name={name}]").input_value()) for name in ("left", "top", "width", "height")]
        assert all(abs(one - wanted) <= 2 for one, wanted in zip(drawn, (60, 40, 240, 200), strict=True))
        page.get_by_role("button", name="Search for this part").click()
        page.wait_for_url("**/query/*", timeout=120_000)
        assert page.locator("li.member .path", has_text="page.png").count() == 1
        assert page.locator(".parts svg.where polygon").count() >= 2
        assert fits(page)

    with served(tmp_path / "p.db") as address, looked_at(browser, address) as page:
        page.locator("a.group").click()
        settled(page)
        page.keyboard.press("r")
        draw(page)
        page.goto(address.split("?")[0] + "query")
        page.set_input_files("#picture", tmp_path / "pictures" / "whole.png")
        page.wait_for_url("**/query/*", timeout=120_000)
        page.get_by_role("link", name="Search for a part of it").click()
        draw(page)
