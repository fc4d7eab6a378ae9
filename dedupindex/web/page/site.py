"""What the routes share: the index and all that is kept in memory over it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from dedupindex import Uploads
from dedupindex.index import Index
from dedupindex.records import DuplicateGroup, GroupMember, Match, Pair
from dedupindex.reports.html import alternates_of, difference_words, outline_of
from dedupindex.reports.names import shown
from dedupindex.reports.plans import size_text
from dedupindex.reports.text import count, frame_words, image_words
from dedupindex.reports.wording import MEANING, flag_words, pair_words, percent, proof_words, shift_text
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
    def over(cls, index: Index, uploads: Uploads, keys: Keys, *, allow_apply: bool = False) -> Site:
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

        Returns
        -------
        Site
        """
        group_lists = GroupLists(index)
        kept = Pictures(index), uploads, Queries(uploads), Review(index, group_lists)
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
    environment = Environment(
        loader=PackageLoader("dedupindex.web.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        shown=shown,
        percent=percent,
        shift=shift_text,
        image_words=image_words,
        frame_words=frame_words,
        flag_words=flag_words,
        size=size_text,
    )
    environment.globals.update(
        count=count,
        outline_of=outline_of,
        pair_words=pair_words,
        member_words=member_words,
        gist=gist,
        proof_words=proof_words,
        difference_words=difference_words,
        alternates_of=alternates_of,
        meaning={str(relation): words for relation, words in MEANING.items()},
    )
    return environment


def member_words(member: GroupMember, pair: Pair | None) -> tuple[str, ...]:
    """Return how a member relates to the first one of its group; empty for that one and without a pair."""
    if member.relation == "representative" or pair is None:
        return ()
    return pair_words(pair, *(("no. 1", "this") if pair.b.id == member.image.id else ("this", "no. 1")))


def gist(group: DuplicateGroup) -> str:
    """Return in a few words how the pictures of a group relate."""
    if not group.pairs:
        return "the same bytes"
    relations = dict.fromkeys(relation for pair in group.pairs for relation in pair.relations)
    return ", ".join(str(relation).replace("_", " ") for relation in list(relations)[:4])
