"""What the tests of the pages and of the door share: a walk over the routes, reading of pages, choices."""

import io
import re
from html.parser import HTMLParser

from PIL import Image
from starlette.testclient import TestClient

from tests.web.conftest import BASE

FORM = {"content-type": "application/x-www-form-urlencoded"}

VALUES = {
    "group_id": "0123456789ab",
    "level": "0",
    "row": "0",
    "column": "0",
    "image_id": "1",
    "number": "1",
    "view": "first",
    "query_id": "abc",
    "applied_id": "abc",
}


def routes(app):
    """Every (method, path) of the application, with something in the place of its parameters."""
    found = []
    seen = list(app.routes)
    while seen:
        route = seen.pop()
        seen += getattr(getattr(route, "original_router", None), "routes", [])  # newer FastAPI keeps routers whole
        if hasattr(route, "methods") and hasattr(route, "path"):
            path = re.sub(r"{(\w+)}", lambda match: VALUES[match[1]], route.path)
            found += [(method, path) for method in sorted(route.methods or ())]
    return sorted(set(found))


def changes(app):
    """Those that are no reading."""
    return [(method, path) for method, path in routes(app) if method not in ("GET", "HEAD")]


def stranger(client):
    """A client on the same application without cookie or token."""
    return TestClient(client.app, base_url=BASE, follow_redirects=False)


class Page(HTMLParser):
    """What of a page matters here: its elements, and its text."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data

    def all(self, tag, name):
        return [found[name] for own, found in self.elements if own == tag and found.get(name)]


def group_ids(client, query="state=all"):
    page = Page(client.get(f"/?{query}").text)
    return [link.split("/")[2].split("?")[0] for link in page.all("a", "href") if link.startswith("/groups/")]


def group_of(client, name):
    """The id of the group in which a file stands, and its members."""
    for group in client.get("/api/groups?limit=500").json()["groups"]:
        if any(place["path"].endswith(name) for member in group["members"] for place in member["locations"]):
            return group["id"], group["members"]
    return None, []


def choice(client, keys, group, do, **more):
    return client.post(f"/groups/{group}", data={"csrf": keys.form, "do": do}, follow_redirects=False, **more)


def png(pixels):
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "PNG")
    return data.getvalue()
