"""Plan pages: preview, and (only where the start allowed it) applying and undoing."""

from __future__ import annotations

import os
import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, HTTPException, Query, Request
from fastapi.responses import RedirectResponse, Response

from dedupindex import PlanOptions
from dedupindex.errors import SettingsError
from dedupindex.places import absolute, at_home
from dedupindex.records import DuplicateGroup, ImageRecord, Relation
from dedupindex.records.plans import COPY, Action, ApplySummary, OutcomeKind, Plan, PlanItem
from dedupindex.reports.applied import applied_text, trouble_lines, undone_text
from dedupindex.reports.jsonfile import to_json
from dedupindex.reports.plans import WHY, plan_json, plan_summary, target_warning
from dedupindex.settings import KEEP_RULES, OTHER_KEEP_RULES
from dedupindex.web.page.applied import Applied
from dedupindex.web.page.group_lists import GroupList
from dedupindex.web.page.listed import ListedGroup, listed
from dedupindex.web.page.review import Choice
from dedupindex.web.page.site import Site, site_of

router = APIRouter(include_in_schema=False)
ITEMS = 100  # files on a page
LEFT = 20  # files that stay, for each reason
FOLLOWED = 20_000  # groups of whose files some went; after more, all groups are made anew
NEAR = (Action.TRASH, Action.MOVE)  # only these take near-duplicates
NEVER = (Relation.SHIFTED_OVERLAP, Relation.ALTERNATE)  # each of the two shows something of its own


@dataclass(frozen=True, slots=True)
class Wish:
    """What the form of the plan page asks for."""

    action: str = str(Action.TRASH)
    relation: tuple[str, ...] = (str(Relation.SAME_BYTES),)  # "unproven" takes what is not proven too
    to: str = ""
    protect: str = ""  # a path a line
    decided: bool = False  # only groups of which somebody decided which picture stays
    collected: bool = False  # only groups that were put into the plan; all proven copies of these
    keep: str = ""  # keep rules, between commas; "" = those of the settings
    prefer: str = ""  # folders whose files are rather kept, one a line

    def options(self) -> PlanOptions:
        """Return it as the options of a plan.

        Raises
        ------
        SettingsError
        """
        folder = self.to.strip() if self.action == Action.MOVE else ""
        protected = [line.strip() for line in self.protect.splitlines() if line.strip()]
        preferred = [line.strip() for line in self.prefer.splitlines() if line.strip()]
        for path in (*protected, *preferred, folder):
            if path and not at_home(Path(path)).is_absolute():
                raise SettingsError(f"{path}: give the whole path")
        return PlanOptions.named(
            self.action,
            [name for name in self.relation if name != Relation.UNPROVEN],
            keep=tuple(rule.strip() for rule in self.keep.split(",") if rule.strip()),
            prefer=tuple(absolute(Path(path)) for path in preferred),
            unproven=str(Relation.UNPROVEN) in self.relation,
            to=absolute(Path(folder)) if folder else None,
            protect=tuple(absolute(Path(path)) for path in protected),
            decided=self.decided,
            same_bytes=False,  # it is among the relations where it is ticked
        )

    def query(self, **more: int) -> str:
        """Return it as the query part of an address."""
        own = [("action", self.action), *(("relation", name) for name in self.relation)]
        flags = {"decided": self.decided, "collected": self.collected}
        named = [(name, getattr(self, name)) for name in ("to", "protect", "keep", "prefer")]
        named += [(name, "1" if value else "") for name, value in flags.items()]
        own += [(name, value) for name, value in named if value]
        return urlencode([*own, *((name, str(value)) for name, value in more.items())])


def wished(
    request: Request,
    action: str = str(Action.TRASH),
    relation: Annotated[list[str] | None, Query()] = None,
    to: str = "",
    protect: str = "",
    decided: bool = False,
    collected: bool | None = None,
    keep: str = "",
    prefer: str = "",
) -> Wish:
    """Return what an address asks for.

    Parameters
    ----------
    request : Request
    action : str
        Value of an `Action`.
    relation : list of str, optional
        Values of `Relation`, or ``copy`` for all proven copies; by default ``same_bytes``, and of collected groups
        all copies too. ``unproven`` takes what is not proven too.
    to : str
        Folder for ``move``.
    protect : str
        Paths, one a line.
    decided : bool
        Only groups of which somebody decided which picture stays.
    collected : bool, optional
        Only groups that were put into the plan; by default where there are some.
    keep : str
        Keep rules, between commas.
    prefer : str
        Folders, one a line.

    Returns
    -------
    Wish
    """
    if collected is None:
        collected = not request.query_params and bool(len(site_of(request).collected))
    usual = (str(Relation.SAME_BYTES), *((COPY,) if collected and action in NEAR else ()))
    return Wish(action, tuple(dict.fromkeys(relation or usual)), to, protect, decided, collected, keep, prefer)


Wished = Annotated[Wish, Depends(wished)]


@dataclass(frozen=True, slots=True)
class FolderItems:
    """The files of a plan that lie in one folder."""

    folder: Path
    items: list[PlanItem] = field(default_factory=list)

    @property
    def bytes(self) -> int:
        """Size of all of them, companions too."""
        return sum(item.bytes for item in self.items)


def made_plan(site: Site, wish: Wish, *, whole: bool = False) -> Plan:
    """Make the plan that a wish asks for.

    Parameters
    ----------
    site : Site
    wish : Wish
    whole : bool
        With the files whose tick was taken away.

    Returns
    -------
    Plan

    Raises
    ------
    SettingsError
    StoreError
    """
    options = wish.options()
    collected = site.collected
    left = frozenset() if whole else collected.left
    if wish.collected:
        options = replace(options, protect=(*options.protect, *sorted(collected.stays)))
        groups = collected.of(site.group_lists.current())
        alternates = collected.surplus if options.action in NEAR else ()
        return site.index.plan_of(groups, options, without=left, alternates=alternates)
    made = site.index.plan(options)
    return replace(made, items=tuple(item for item in made.items if item.file.path not in left))


@router.get("/plan")
def plan(request: Request, wish: Wished, page: int = 1) -> Response:
    """Show what could be done. Nothing is touched."""
    site = site_of(request)
    made: Plan | None = None
    error = ""
    try:
        made = made_plan(site, wish, whole=True)
    except SettingsError as wrong:
        error = str(wrong)
    left = site.collected.left
    going = replace(made, items=tuple(i for i in made.items if i.file.path not in left)) if made else None
    items = sorted(made.items, key=lambda item: item.file.path.parent) if made else []
    pages = max(1, -(-len(items) // ITEMS))
    page = min(max(1, page), pages)
    shown = items[(page - 1) * ITEMS : page * ITEMS]
    stay = Counter(file.why for file in made.left_out) if made else Counter()
    return site.page(
        request,
        "plan.html.j2",
        status=400 if error and "x-part" not in request.headers else 200,  # our script shows what is wrong
        wish=wish,
        plan=made,
        going=going,
        error=error,
        summary=plan_summary(going) if going else "",
        warning=target_warning(going) if going else "",
        folders=_by_folder(shown),
        pictures=_pictures(site, shown),
        left_ticks=left,
        page=page,
        pages=pages,
        actions=list(Action),
        relations=[relation for relation in Relation if relation not in NEVER],
        copy=COPY,
        rules=(*KEEP_RULES, *OTHER_KEEP_RULES),
        stay=stay,
        left={why: [file for file in made.left_out if file.why == why][:LEFT] for why in stay} if made else {},
        why=WHY,
    )


@router.get("/plan.json")
def plan_file(request: Request, wish: Wished) -> Response:
    """Give the plan as a file for `dedupindex apply`."""
    data = to_json(plan_json(made_plan(site_of(request), wish)))
    headers = {"Content-Disposition": 'attachment; filename="plan.json"'}
    return Response(data, media_type="application/json", headers=headers)


@router.post("/plan/tick")
def tick(
    request: Request,
    wish: Wished,
    file: Annotated[list[str] | None, Form()] = None,
    goes: Annotated[list[str] | None, Form()] = None,
    clear: Annotated[str, Form()] = "",
    page: int = 1,
) -> Response:
    """Note which of the listed files shall go: *file* are those that were listed, *goes* those with a tick."""
    site = site_of(request)
    if clear:
        site.collected.clear()
        return RedirectResponse("/plan", 303)
    listed = {Path(_bytes(text)) for text in file or ()}
    ticked = {Path(_bytes(text)) for text in goes or ()}
    site.collected.tick(listed & ticked, goes=True)
    site.collected.tick(listed - ticked, goes=False)
    return RedirectResponse(f"/plan?{wish.query(page=page)}", 303)


@router.post("/plan/apply")
def carry_out(request: Request, wish: Wished, digest: Annotated[str, Form()]) -> Response:
    """Carry out the plan that was shown; a plan that has changed since is refused."""
    site = allowed(request)
    made = made_plan(site, wish)
    applied = _applied(site, made, digest)
    if wish.collected:
        site.collected.clear()
    return RedirectResponse(f"/plan/applied/{applied.id}", 303)


@router.get("/plan/applied/{applied_id}")
def applied(request: Request, applied_id: str) -> Response:
    """Show what became of a plan."""
    site = site_of(request)
    done = site.applied.find(applied_id)
    if done is None:
        raise HTTPException(404, "This start of the page knows of no such run; its journal lies beside the database.")
    return site.page(request, "applied.html.j2", applied=done)


@router.post("/plan/applied/{applied_id}/undo")
def take_back(request: Request, applied_id: str) -> Response:
    """Take back what a plan did."""
    site = allowed(request)
    earlier = site.applied.find(applied_id)
    if earlier is None:
        raise HTTPException(404, "This start of the page knows of no such run; its journal lies beside the database.")
    done = site.index.undo(earlier.journal)
    site.group_lists.refresh()
    words, troubles = undone_text(done), tuple(trouble_lines(done))
    site.applied.put(applied_id, Applied(applied_id, words, troubles, earlier.journal, undone=done.well))
    return RedirectResponse(f"/plan/applied/{applied_id}", 303)


def trash_the_rest(site: Site, entry: ListedGroup, key: str) -> str:
    """Decide for one picture of a group, and move its proven copies to the trash.

    Parameters
    ----------
    site : Site
    entry : ListedGroup
    key : str
        Content key of the picture that stays.

    Returns
    -------
    str
        Name of the result in `Site.applied`; what was left stands in it.

    Raises
    ------
    SettingsError
        The picture is not in the group.
    StoreError, OSError
    """
    act = site.review.act(entry, Choice.KEEP, key)
    group_list = site.group_lists.current()
    came = [entry.group for entry in map(group_list.group, act.came) if entry is not None]
    keeper = next(member for member in entry.group.members if member.image.key == key)
    now = [group for group in came if any(member.image.id == keeper.image.id for member in group.members)]
    options = PlanOptions.named(Action.TRASH, [COPY], protect=tuple(sorted(site.collected.stays)))
    return to_the_trash(site, site.index.plan_of(now, options))


def to_the_trash(site: Site, made: Plan) -> str:
    """Carry out a plan on the spot; return the name of the result in `Site.applied`, where it says what was left."""
    if not made.items:
        id_ = secrets.token_urlsafe(12)
        words = "; ".join(dict.fromkeys(WHY.get(file.why, str(file.why)) for file in made.left_out))
        nothing = Applied(id_, f"Nothing went to the trash: {words or 'no file is there'}", (), Path(), anything=False)
        site.applied.put(id_, nothing)
        return id_
    return _applied(site, made, "").id


def _applied(site: Site, made: Plan, digest: str) -> Applied:
    """Carry out a plan, and keep the result for its page."""
    before = site.group_lists.current()
    done = site.index.apply(made, agreed=digest, go_on=True)
    assert done.journal is not None
    _follow(site, before, {item.group for item in made.items}, done)
    result = Applied(
        secrets.token_urlsafe(12),
        applied_text(done, made.action),
        tuple(trouble_lines(done)),
        done.journal,
        anything=bool(done.of(OutcomeKind.DONE, OutcomeKind.EARLIER)),
    )
    site.applied.put(result.id, result)
    return result


def _follow(site: Site, before: GroupList, groups: set[str], done: ApplySummary) -> None:
    """Bring the list up to date with files that went; the whole list is made anew where others wrote too."""
    entries = [entry for entry in map(before.group, groups) if entry is not None]
    gone = {path for outcome in done.of(OutcomeKind.DONE) for path in (outcome.file, *outcome.companions)}
    if len(entries) < len(groups) or len(groups) > FOLLOWED or not gone:
        site.group_lists.refresh()
        return
    left = [group for group in (_without(entry.group, gone) for entry in entries) if group.members]
    come = [group for parts in site.index.all_regrouped(left) for group in parts]
    new = [listed(group) for group in come]
    site.group_lists.follow(before, entries, new, site.index.generation, files=True)


def _without(group: DuplicateGroup, gone: set[Path]) -> DuplicateGroup:
    """Return a group without some files: pictures that are nowhere else leave it, with their pairs."""
    stay: dict[int, ImageRecord] = {}
    for member in group.members:
        places = tuple(place for place in member.image.locations if place.path not in gone)
        if places:
            stay[member.image.id] = replace(member.image, locations=places)
    members = tuple(replace(m, image=stay[m.image.id]) for m in group.members if m.image.id in stay)
    pairs = tuple(
        replace(pair, a=stay[pair.a.id], b=stay[pair.b.id])
        for pair in group.pairs
        if pair.a.id in stay and pair.b.id in stay
    )
    return replace(group, members=members, pairs=pairs)


def _by_folder(items: Sequence[PlanItem]) -> list[FolderItems]:
    folders: dict[Path, FolderItems] = {}
    for item in items:
        folders.setdefault(item.file.path.parent, FolderItems(item.file.path.parent)).items.append(item)
    return list(folders.values())


def _pictures(site: Site, items: Sequence[PlanItem]) -> dict[str, int]:
    """Row ids of the pictures of a plan's files, by digest, as far as the groups know them."""
    group_list = site.group_lists.current()
    entries = [group_list.group(group) for group in {item.group for item in items}]
    return {
        member.image.sha256.hex(): member.image.id
        for entry in entries
        if entry is not None
        for member in entry.group.members
    }


def _bytes(text: str) -> str:
    """A path as it stood in a form: in hexadecimal, because a name may be no text."""
    try:
        return os.fsdecode(bytes.fromhex(text))
    except ValueError:
        raise HTTPException(422, "a file is named by the hexadecimal bytes of its path") from None


def allowed(request: Request) -> Site:
    """Return the site where the page may change files.

    Raises
    ------
    HTTPException
        403, it may not.
    """
    site = site_of(request)
    if not site.allow_apply:
        raise HTTPException(403, "This start of the page touches no files; start it with --allow-apply.")
    return site
