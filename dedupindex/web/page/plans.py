"""Plan pages: preview, and (only where the start allowed it) applying and undoing."""

from __future__ import annotations

import secrets
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, HTTPException, Query, Request
from fastapi.responses import RedirectResponse, Response

from dedupindex import PlanOptions
from dedupindex.errors import SettingsError
from dedupindex.places import absolute, at_home
from dedupindex.records import Relation
from dedupindex.records.plans import COPY, Action, OutcomeKind, Plan
from dedupindex.reports.applied import applied_text, trouble_lines, undone_text
from dedupindex.reports.jsonfile import to_json
from dedupindex.reports.plans import WHY, plan_json, plan_summary, target_warning
from dedupindex.web.page.applied import Applied
from dedupindex.web.page.site import Site, site_of

router = APIRouter(include_in_schema=False)
ITEMS = 100  # files on a page
LEFT = 20  # files that stay, for each reason
NEVER = (Relation.SHIFTED_OVERLAP, Relation.ALTERNATE)  # each of the two shows something of its own


@dataclass(frozen=True, slots=True)
class Wish:
    """What the form of the plan page asks for."""

    action: str = str(Action.TRASH)
    relation: tuple[str, ...] = (str(Relation.SAME_BYTES),)  # "unproven" takes what is not proven too
    to: str = ""
    protect: str = ""  # a path a line
    decided: bool = False  # only groups of which somebody decided which picture stays

    def options(self) -> PlanOptions:
        """Return it as the options of a plan.

        Raises
        ------
        SettingsError
        """
        folder = self.to.strip() if self.action == Action.MOVE else ""
        protected = [line.strip() for line in self.protect.splitlines() if line.strip()]
        for path in (*protected, folder):
            if path and not at_home(Path(path)).is_absolute():
                raise SettingsError(f"{path}: give the whole path")
        return PlanOptions.named(
            self.action,
            [name for name in self.relation if name != Relation.UNPROVEN],
            unproven=str(Relation.UNPROVEN) in self.relation,
            to=absolute(Path(folder)) if folder else None,
            protect=tuple(absolute(Path(path)) for path in protected),
            decided=self.decided,
            same_bytes=False,  # it is among the relations where it is ticked
        )

    def query(self, **more: int) -> str:
        """Return it as the query part of an address."""
        own = [("action", self.action), *(("relation", name) for name in self.relation)]
        named = (("to", self.to), ("protect", self.protect), ("decided", "1" if self.decided else ""))
        own += [(name, value) for name, value in named if value]
        return urlencode([*own, *((name, str(value)) for name, value in more.items())])


def wished(
    action: str = str(Action.TRASH),
    relation: Annotated[list[str] | None, Query()] = None,
    to: str = "",
    protect: str = "",
    decided: bool = False,
) -> Wish:
    """Return what an address asks for.

    Parameters
    ----------
    action : str
        Value of an `Action`.
    relation : list of str, optional
        Values of `Relation`, or ``copy`` for all proven copies; by default ``same_bytes``. ``unproven`` takes what is
        not proven too.
    to : str
        Folder for ``move``.
    protect : str
        Paths, one a line.
    decided : bool
        Only groups of which somebody decided which picture stays.

    Returns
    -------
    Wish
    """
    return Wish(action, tuple(dict.fromkeys(relation or (str(Relation.SAME_BYTES),))), to, protect, decided)


Wished = Annotated[Wish, Depends(wished)]


@router.get("/plan")
def plan(request: Request, wish: Wished, page: int = 1) -> Response:
    """Show what could be done. Nothing is touched."""
    site = site_of(request)
    made: Plan | None = None
    error = ""
    try:
        made = site.index.plan(wish.options())
    except SettingsError as wrong:
        error = str(wrong)
    items = made.items if made else ()
    pages = max(1, -(-len(items) // ITEMS))
    page = min(max(1, page), pages)
    stay = Counter(file.why for file in made.left_out) if made else Counter()
    return site.page(
        request,
        "plan.html.j2",
        status=400 if error else 200,
        wish=wish,
        plan=made,
        error=error,
        summary=plan_summary(made) if made else "",
        warning=target_warning(made) if made else "",
        items=items[(page - 1) * ITEMS : page * ITEMS],
        page=page,
        pages=pages,
        actions=list(Action),
        relations=[relation for relation in Relation if relation not in NEVER],
        copy=COPY,
        stay=stay,
        left={why: [file for file in made.left_out if file.why == why][:LEFT] for why in stay} if made else {},
        why=WHY,
    )


@router.get("/plan.json")
def plan_file(request: Request, wish: Wished) -> Response:
    """Give the plan as a file for `dedupindex apply`."""
    data = to_json(plan_json(site_of(request).index.plan(wish.options())))
    headers = {"Content-Disposition": 'attachment; filename="plan.json"'}
    return Response(data, media_type="application/json", headers=headers)


@router.post("/plan/apply")
def carry_out(request: Request, wish: Wished, digest: Annotated[str, Form()]) -> Response:
    """Carry out the plan that was shown; a plan that has changed since is refused."""
    site = _allowed(request)
    made = site.index.plan(wish.options())
    done = site.index.apply(made, agreed=digest)
    assert done.journal is not None
    site.group_lists.refresh()
    applied = Applied(
        secrets.token_urlsafe(12),
        applied_text(done, made.action),
        tuple(trouble_lines(done)),
        done.journal,
        anything=bool(done.of(OutcomeKind.DONE, OutcomeKind.EARLIER)),
    )
    site.applied.put(applied.id, applied)
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
    site = _allowed(request)
    earlier = site.applied.find(applied_id)
    if earlier is None:
        raise HTTPException(404, "This start of the page knows of no such run; its journal lies beside the database.")
    done = site.index.undo(earlier.journal)
    site.group_lists.refresh()
    words, troubles = undone_text(done), tuple(trouble_lines(done))
    site.applied.put(applied_id, Applied(applied_id, words, troubles, earlier.journal, undone=done.well))
    return RedirectResponse(f"/plan/applied/{applied_id}", 303)


def _allowed(request: Request) -> Site:
    site = site_of(request)
    if not site.allow_apply:
        raise HTTPException(403, "This start of the page touches no files; start it with --allow-apply.")
    return site
