"""What the routes share: the index and all that is kept in memory over it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from jinja2 import Environment, PackageLoader, pass_context
from jinja2.runtime import Context
from starlette.requests import Request
from starlette.responses import HTMLResponse

from dedupindex import Uploads
from dedupindex.index import Index
from dedupindex.records import DuplicateGroup, Match
from dedupindex.reports.names import is_text
from dedupindex.reports.page_environment import page_environment
from dedupindex.reports.wording import JUDGEMENT, relation_names
from dedupindex.web.page.applied import Applied
from dedupindex.web.page.collected import Collected
from dedupindex.web.page.comparing import moment
from dedupindex.web.page.group_lists import GroupLists
from dedupindex.web.page.guard import Keys
from dedupindex.web.page.language import LANGUAGES, Language, chosen_language, language
from dedupindex.web.page.queries import Queries
from dedupindex.web.page.review import Review
from dedupindex.web.page.start import NoIndexError, Start
from dedupindex.web.shared.pictures import Lately, Pictures
from dedupindex.web.shared.tiles import Tiles

LANGUAGE = "dedupindex_language"  # cookie
SAID_FILTERS = ("gone_words", "flag_words", "percent", "relation_names", "size")
SAID_WORDS = (
    "gist",
    *("pair_words", "member_words", "proof_words", "difference_words", "evidence_words", "judgement_words"),
    *("rank_words", "companion_words", "companions_words"),
)
OF_THE_OTHER = ("less-processed", "shows-more")  # rules whose reason is said of the picture behind


@dataclass(frozen=True)
class Site:
    """An index as the pages show it."""

    index: Index
    keys: Keys
    allow_apply: bool
    group_lists: GroupLists
    pictures: Pictures
    uploads: Uploads
    queries: Queries
    review: Review
    collected: Collected
    tiles: Tiles
    applied: Lately[Applied] = field(default_factory=lambda: Lately(50))  # results of plans, by a random name

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
        return cls(
            index,
            keys,
            allow_apply,
            group_lists,
            Pictures(index, blur=blur),
            uploads,
            Queries(index, uploads),
            Review(index, group_lists),
            Collected(index),
            Tiles(index, blur=blur),
        )

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
        done = self.applied.find(request.query_params.get("done", ""))
        return render(request, template, status=status, site=self, done=done, **values)


def render(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """Return a page, also where there is no index yet.

    Parameters
    ----------
    request : Request
    template : str
        Name of the file.
    status : int
        Of HTTP.
    **values : Any
        What the template shows, by name.

    Returns
    -------
    HTMLResponse
    """
    start: Start = request.app.state.start
    spoken = language_of(request)
    shown = {"site": None, "done": None} | values
    text = (
        _environment()
        .get_template(template)
        .render(
            start=start,
            csrf=start.keys.form,
            here=request.url.path,
            language=spoken.code,
            languages=LANGUAGES,
            _=spoken.text,
            _n=spoken.count,
            say=spoken.say,
            number=spoken.number,
            **shown,
        )
    )
    return HTMLResponse(text.encode("utf-8", "replace"), status)


def language_of(request: Request) -> Language:
    """Return the language that the reader of an answer has chosen, or that the browser asks for."""
    return language(chosen_language(request.cookies.get(LANGUAGE, ""), request.headers.get("accept-language", "")))


def site_of(request: Request) -> Site:
    """Return the site that a request is for.

    Raises
    ------
    NoIndexError
        There is no database yet.
    """
    site: Site | None = request.app.state.site
    if site is None:
        raise NoIndexError
    return site


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = page_environment(PackageLoader("dedupindex.web.page"))
    environment.globals |= {"gist": gist, "why_first": why_first}
    environment.filters.update({name: _said(environment.filters[name]) for name in SAID_FILTERS})
    words: dict[str, Any] = dict(environment.globals)
    environment.globals.update({name: _said(words[name]) for name in SAID_WORDS})
    environment.filters["said"] = _said(str)
    environment.filters["is_text"] = is_text
    environment.filters["moment"] = moment
    environment.filters["path_bytes"] = lambda path: os.fsencode(path).hex()
    return environment


def gist(group: DuplicateGroup) -> str:
    """Return in a few words how the pictures of a group relate."""
    if not group.pairs:
        return "the same bytes"
    relations = dict.fromkeys(relation for pair in group.pairs for relation in pair.relations)
    return relation_names(list(relations)[:4])


@pass_context
def why_first(context: Context, group: DuplicateGroup) -> str:
    """Return why the first picture of a group leads it, in the reader's language: the rule, and what it goes by."""
    say: Callable[[str], str] = context["say"]
    first = group.members[0]
    rule = say(first.rule).replace("-", " ")
    if not first.because:
        return rule
    of_other = "the other one: " if first.rule in OF_THE_OTHER and not first.because.startswith("this is") else ""
    because = first.because.replace("this is", "the other one is", 1) if not of_other else first.because
    words = f"{rule}: {say(of_other + because)}" if rule else say(f"though {because}")
    return f"{words} {say(f'({JUDGEMENT})')}" if first.judgement else words


def _said(words: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of templates whose words are said in the language of the page."""

    @pass_context
    def said(context: Context, *arguments: Any) -> Any:
        say: Callable[[str], str] = context["say"]
        result = words(*arguments)
        return say(result) if isinstance(result, str) else tuple(map(say, result))

    return said
