"""What the routes share: the index and all that is kept in memory over it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jinja2 import Environment, PackageLoader
from starlette.requests import Request
from starlette.responses import HTMLResponse

from dedupindex import Uploads
from dedupindex.index import Index
from dedupindex.records import DuplicateGroup, Match
from dedupindex.reports.page_environment import page_environment
from dedupindex.web.page.applied import Applied
from dedupindex.web.page.group_lists import GroupLists
from dedupindex.web.page.guard import Keys
from dedupindex.web.page.queries import Queries
from dedupindex.web.page.review import Review
from dedupindex.web.shared.pictures import Lately, Pictures


@dataclass(frozen=True)
class Site:
    """One start of the page."""

    index: Index
    keys: Keys
    allow_apply: bool
    group_lists: GroupLists
    pictures: Pictures
    uploads: Uploads
    queries: Queries
    review: Review
    applied: Lately[Applied]  # results of plans, by a random name

    @classmethod
    def over(cls, index: Index, uploads: Uploads, keys: Keys, *, allow_apply: bool = False, blur: bool = False) -> Site:
        """Return the site over an index.

        Parameters
        ----------
        index : Index
        uploads : Uploads
            Describes uploaded pictures.
        keys : Keys
            Secrets of this start.
        allow_apply : bool
            The pages may change files.
        blur : bool
            Blur all pictures.

        Returns
        -------
        Site
        """
        group_lists = GroupLists(index)
        kept = Pictures(index, blur=blur), uploads, Queries(uploads), Review(index, group_lists)
        return cls(index, keys, allow_apply, group_lists, *kept, Lately(50))

    def told(self) -> Mapping[str, int | float | str]:
        """Return what the index holds."""
        return self.index.info()

    def group(self, group_id: str) -> DuplicateGroup | None:
        """Return the group of that id in the current list."""
        entry = self.group_lists.current().group(group_id)
        return None if entry is None else entry.group

    def answered(self, matches: Sequence[Match]) -> None:
        """Count nothing."""

    def page(self, request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
        """Return a page.

        Parameters
        ----------
        request : Request
        template : str
            File name of the template.
        status : int
            Of HTTP.
        **values
            For the template.

        Returns
        -------
        HTMLResponse
        """
        text = (
            _environment()
            .get_template(template)
            .render(
                site=self,
                csrf=self.keys.form,
                here=request.url.path,
                **values,
            )
        )
        return HTMLResponse(text.encode("utf-8", "replace"), status)


def site_of(request: Request) -> Site:
    """Return the site that a request is for."""
    site: Site = request.app.state.site
    return site


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = page_environment(PackageLoader("dedupindex.web.page"))
    environment.globals["gist"] = gist
    return environment


def gist(group: DuplicateGroup) -> str:
    """Return in a few words how the pictures of a group relate."""
    if not group.pairs:
        return "the same bytes"
    relations = dict.fromkeys(relation for pair in group.pairs for relation in pair.relations)
    return ", ".join(str(relation).replace("_", " ") for relation in list(relations)[:4])
