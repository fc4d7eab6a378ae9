"""The list of groups, and what is done with many of them at once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from dedupindex.errors import PlanChangedError
from dedupindex.records import Relation
from dedupindex.reports.plans import size_text
from dedupindex.web.page.group_lists import PAGE, GroupList
from dedupindex.web.page.language import Language
from dedupindex.web.page.listed import Filter, ListedGroup, ListOrder, ListState, ProofState, chosen_filter
from dedupindex.web.page.review import MOST_TOGETHER, Choice
from dedupindex.web.page.site import language_of, site_of

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
LARGE_UNTIL = 20_000  # groups: with more, cards show the stored pictures only
FOLDERS = 40  # that are proposed for the filter
STATES = {ListState.OPEN: "still open", ListState.KEPT: "decided", ListState.ALL: "all"}
ORDERS = {
    ListOrder.LARGEST: "most files first",
    ListOrder.FREED: "most to free first",
    ListOrder.DOUBTFUL: "most doubtful first",
    ListOrder.NEWEST: "latest change first",
    ListOrder.NAME: "by name",
}
PROOFS = {
    ProofState.EXACT: "the same bytes or pixels",
    ProofState.PROVEN: "proven the same",
    ProofState.EDITED: "places differ",
    ProofState.UNPROVEN: "not proven",
}


class Bulk(StrEnum):
    """What is done with many groups at once."""

    ACCEPT = "accept"  # the picture that leads is the one to keep
    BOTH = "both"
    APART = "apart"
    COLLECT = "collect"  # put into the plan


CHOICES = {Bulk.ACCEPT: Choice.KEEP, Bulk.BOTH: Choice.BOTH, Bulk.APART: Choice.APART}


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an action on many groups means, before it happens."""

    title: str
    lines: tuple[str, ...]
    warnings: tuple[str, ...]
    confirm: str  # the words of the button


def filter_of(request: Request) -> Filter:
    """Return the filter that the address of a request asks for."""
    return chosen_filter(dict(request.query_params))


@router.get("/")
def overview(request: Request, page: int = 1) -> Response:
    """Show the list of groups."""
    site = site_of(request)
    chosen = filter_of(request)
    group_list = site.group_lists.current()
    listing = group_list.listing(chosen)
    total = len(listing.entries)
    pages = max(1, -(-total // PAGE))
    page = min(max(1, page), pages)
    return site.page(
        request,
        "overview.html.j2",
        counts=group_list.overview.counts,
        runs=group_list.overview.runs,
        group_list=group_list,
        chosen=chosen,
        further=chosen.chosen - sum(bool(value) for value in (chosen.name, chosen.relation, chosen.proof)),
        entries=listing.entries[(page - 1) * PAGE : page * PAGE],
        total=total,
        freed=listing.freed,
        open=len(group_list.listing(Filter()).entries),
        page=page,
        pages=pages,
        states=STATES,
        orders=ORDERS,
        proofs=PROOFS,
        relations=list(Relation),
        folders=[str(root.path) for root in site.index.roots()[:FOLDERS]],
        large=len(group_list.entries) <= LARGE_UNTIL,
        last=site.review.last,
    )


@router.post("/bulk")
def ask(
    request: Request,
    do: Annotated[str, Form()],
    group: Annotated[list[str] | None, Form()] = None,
    all: Annotated[str, Form()] = "",
) -> Response:
    """Say what an action on the selected groups, or on all that match, would mean. Nothing is done."""
    site, kind = site_of(request), _kind(do)
    group_list = site.group_lists.current()
    entries = _selected(group_list, filter_of(request), group or (), every=bool(all))
    fit = [entry for entry in entries if _fits(kind, entry)]
    meaning = _meaning(kind, fit, len(entries) - len(fit), language_of(request))
    return site.page(
        request,
        "bulk.html.j2",
        chosen=filter_of(request),
        do=kind,
        all=bool(all),
        ids=[] if all else [entry.id for entry in fit],
        digest=_digest(fit),
        groups=len(fit),
        title=meaning.title,
        lines=meaning.lines,
        warnings=meaning.warnings,
        confirm=meaning.confirm,
    )


@router.post("/bulk/do")
def act(
    request: Request,
    do: Annotated[str, Form()],
    digest: Annotated[str, Form()],
    group: Annotated[list[str] | None, Form()] = None,
    all: Annotated[str, Form()] = "",
) -> Response:
    """Do what was said, with the very groups that it was said of."""
    site, kind, chosen = site_of(request), _kind(do), filter_of(request)
    entries = _selected(site.group_lists.current(), chosen, group or (), every=bool(all))
    fit = [entry for entry in entries if _fits(kind, entry)]
    if not fit or digest != _digest(fit):
        raise PlanChangedError("The groups are not those that this was said of: look at the list again.")
    if kind is Bulk.COLLECT:
        site.collected.put(entry.id for entry in fit)
    else:
        words = _meaning(kind, fit, 0, language_of(request)).title
        site.review.act_on_all(fit, CHOICES[kind], words[0].lower() + words[1:])
    query = chosen.query()
    return RedirectResponse(f"/?{query}" if query else "/", 303)


def _kind(do: str) -> Bulk:
    if do not in set(Bulk):
        raise HTTPException(422, f"do is {do!r}, must be one of {', '.join(Bulk)}")
    return Bulk(do)


def _selected(group_list: GroupList, chosen: Filter, ids: Sequence[str], *, every: bool) -> Sequence[ListedGroup]:
    if every:
        return group_list.select(chosen)
    entries = [group_list.group(one) for one in dict.fromkeys(ids)]
    return [entry for entry in entries if entry is not None]


def _fits(kind: Bulk, entry: ListedGroup) -> bool:
    """Whether an action makes sense for a group."""
    members = len(entry.group.members)
    if kind is Bulk.APART:
        return 2 <= members <= MOST_TOGETHER
    return kind is not Bulk.BOTH or members <= MOST_TOGETHER


def _digest(entries: Sequence[ListedGroup]) -> str:
    """A digest of groups as they are, with their files."""
    said = "\n".join(f"{entry.id} {entry.files} {entry.group.members[0].image.key}" for entry in entries)
    return hashlib.sha256(said.encode()).hexdigest()


def _meaning(kind: Bulk, entries: Sequence[ListedGroup], left: int, words: Language) -> Meaning:
    number, files = len(entries), sum(entry.files for entry in entries)
    going, size = sum(entry.going for entry in entries), size_text(sum(entry.freed for entry in entries))
    judged = sum(entry.judgement for entry in entries)
    warnings = []
    if kind is Bulk.ACCEPT:
        title = words.count(number, "Accept the suggestion of {n} group", "Accept the suggestion of {n} groups")
        lines = [
            words.text("The picture that leads each group is marked as the one to keep."),
            words.count(
                going,
                "{n} further file ({size}) could then go by a plan. Nothing is moved or deleted now.",
                "{n} further files ({size}) could then go by a plan. Nothing is moved or deleted now.",
                size=size,
            ),
        ]
        confirm = words.text("Accept")
    elif kind is Bulk.BOTH:
        title = words.count(number, "Keep all pictures of {n} group", "Keep all pictures of {n} groups")
        lines = [
            words.count(
                files,
                "{n} file stays; the list does not show it any more.",
                "{n} files stay; the list does not show them any more.",
            )
        ]
        confirm = words.text("Keep all")
    elif kind is Bulk.APART:
        title = words.count(number, "{n} group holds no duplicates", "{n} groups hold no duplicates")
        lines = [words.text("Their pictures are not paired any more, in later scans either.")]
        confirm = words.text("Not duplicates")
    else:
        title = words.count(number, "Put {n} group into the plan", "Put {n} groups into the plan")
        lines = [
            words.count(
                going,
                "Up to {n} file ({size}) would go. The plan shows it before anything happens.",
                "Up to {n} files ({size}) would go. The plan shows each of them before anything happens.",
                size=size,
            )
        ]
        confirm = words.text("Put into the plan")
    if judged and kind in (Bulk.ACCEPT, Bulk.COLLECT):
        warnings.append(
            words.count(
                judged,
                "In {n} of them no rule tells which picture is better: a judgement call.",
                "In {n} of them no rule tells which picture is better: judgement calls.",
            )
        )
    if left:
        warnings.append(
            words.count(
                left,
                "{n} group is left out: this cannot be said of it.",
                "{n} groups are left out: this cannot be said of them.",
            )
        )
    return Meaning(title, tuple(lines), tuple(warnings), confirm)
