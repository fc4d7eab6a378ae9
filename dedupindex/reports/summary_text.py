"""The end of a report for people: what it holds by relation, what could be freed, and what to do next."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dedupindex.records.reports import Report
from dedupindex.reports.amounts import count
from dedupindex.reports.plans import size_text
from dedupindex.reports.summary import ReportSummary
from dedupindex.reports.text import heading_lines

ROWS = 12  # relations that are listed
WIDTH = 32  # characters of the longest usual name of relations


def report_with_summary(text: str, summary: ReportSummary) -> str:
    """Return a report with the summary at its end; a report without groups stays as it is.

    Parameters
    ----------
    text : str
        The report.
    summary : ReportSummary
        Of all its groups, those too that were left off.
    """
    lines = list(summary_lines(summary))
    return "\n".join([text, "", *lines]) if lines else text


def summary_text(report: Report, summary: ReportSummary, base: Path | None = None) -> str:
    """Return the summary alone, under the first lines of the report.

    Parameters
    ----------
    report : Report
    summary : ReportSummary
    base : Path, optional
        Paths below it are shown relative to it.
    """
    return report_with_summary("\n".join(heading_lines(report, summary, base)), summary)


def summary_lines(summary: ReportSummary) -> Iterator[str]:
    """Yield groups and files by relation, what could be freed, and what to do next; nothing where there is nothing."""
    if not summary.groups:
        return
    yield f"{'summary: relation to the first':{WIDTH}}{'groups':>10}{'files':>10}"
    for row in summary.relations[:ROWS]:
        yield f"  {row.relation:{WIDTH - 2}}{row.groups:>10,}{row.files:>10,}"
    rest = summary.relations[ROWS:]
    if rest:
        kinds = count(len(rest), "other kind")
        yield f"  {kinds:{WIDTH - 2}}{'':>10}{sum(row.files for row in rest):>10,}"
    yield freed_words(summary)
    yield from next_lines(summary)


def freed_words(summary: ReportSummary) -> str:
    """Return what could be freed, in a line."""
    exact, copies = summary.exact, summary.copies
    parts = []
    if exact.files:
        parts.append(f"{size_text(exact.bytes)} in {count(exact.files, 'file')} with the same bytes as another")
    if copies.files:
        more = " more" if exact.files else ""
        parts.append(f"{size_text(copies.bytes)}{more} in {count(copies.files, 'proven copy', 'proven copies')}")
    return f"could be freed, at most: {'; '.join(parts)}" if parts else "could be freed: nothing without a closer look"


def next_lines(summary: ReportSummary) -> Iterator[str]:
    """Yield the commands that follow, each with what it does."""
    commands = []
    if summary.exact.files:
        commands.append(("dedupindex plan -o plan.json", "what could go: files with the same bytes"))
    if summary.copies.files:
        commands.append(("dedupindex plan --relation copy -o plan.json", "proven copies too"))
    if summary.unproven:
        commands.append(("dedupindex prove", "compare the files of pairs that are not proven"))
    commands.append(("dedupindex serve --open", "look at the groups and decide"))
    for number, (command, words) in enumerate(commands):
        yield f"{'next: ' if not number else '      '}{command:46}{words}"
