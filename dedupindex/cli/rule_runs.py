"""What `watch` does about rules after each run: say what they would take, or take it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dedupindex.cli.console import complain, note
from dedupindex.errors import SettingsError

if TYPE_CHECKING:
    from dedupindex import PlanRules
    from dedupindex.index import Index
    from dedupindex.records.plans import Plan


@dataclass(slots=True)
class RuleRuns:
    """Rules that are asked after each run of `watch`."""

    rules: PlanRules
    file: Path  # that they were read from
    apply: bool
    said: object = None  # what was planned last: the same is neither said nor tried again after every run

    def after_run(self, index: Index, now: str) -> None:
        """Ask the rules.

        Parameters
        ----------
        index : Index
        now : str
            Time, for the line that is said.

        Raises
        ------
        DedupIndexError, OSError
        """
        made = index.plan_by_rules(self.rules)
        state = (made.plan.operations_digest(), made.idle)
        if state == self.said:  # what failed is not tried again until something is different
            return
        self.said = state
        for line in made.idle:
            complain(line)
        if made.plan.items and self.apply:
            self._carry_out(index, made.plan, now)
        elif made.plan.items:
            from dedupindex.reports.plans import plan_summary

            name = shlex.quote(str(self.file))
            note(f"{now} rules: {plan_summary(made.plan)}; to look: dedupindex plan --rules {name} --output plan.json")

    def _carry_out(self, index: Index, plan: Plan, now: str) -> None:
        from dedupindex.reports.applied import applied_text, trouble_lines

        done = index.apply(plan, go_on=True)
        note(f"{now} rules: {applied_text(done, plan.action)}")
        for line in trouble_lines(done):
            complain(line)
        if done.journal is not None:
            note(f"to undo it: dedupindex undo {shlex.quote(str(done.journal))}")


def rule_runs(file: Path | None, *, apply: bool) -> RuleRuns | None:
    """Return what to do after each run; None without rules.

    Parameters
    ----------
    file : Path or None
        Of the rules.
    apply : bool
        Do what they say.

    Returns
    -------
    RuleRuns or None

    Raises
    ------
    SettingsError
        The rules have no meaning, or there are none to apply.
    """
    if file is None:
        if apply:
            raise SettingsError("--apply-rules goes with --rules FILE")
        return None
    from dedupindex import read_rules

    return RuleRuns(read_rules(file), file, apply)
