"""How help looks: options in groups, the common ones first; whole sentences; examples at the end.

Works on every width: nothing is cut, long lines are wrapped, examples stand as they are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from typer.core import TyperCommand, TyperGroup

from dedupindex.cli.examples import EXAMPLES, VERBS

EVERYWHERE = "Every verb"  # the panel of the options that every verb has
OPTIONS, ARGUMENTS = "Options", "Arguments"
COMMON_NAMES = ("database", "config", "quiet", "verbose", "help")


class Verb(TyperCommand):
    """A verb whose help has its options in groups."""

    def get_short_help_str(self, limit: int = 0) -> str:
        """Return the first sentence of the help, whole: shells show it beside the verb that they complete."""
        return first_sentence(self.help or "")

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return what stands in the usage: ``PATH...``, and in brackets what may be left out."""
        return [re.sub(r"^\{(.+)\}", r"\1", piece) for piece in super().collect_usage_pieces(ctx)]

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """Write what the verb does; a paragraph of lines like ``- NAME: WORDS`` as a table."""
        for paragraph in (self.help or "").split("\n\n"):
            rows = [row.partition(": ") for row in re.split(r"^- ", paragraph, flags=re.MULTILINE)[1:]]
            formatter.write_paragraph()
            with formatter.indentation():
                if paragraph.startswith("- "):
                    formatter.write_dl([(name, " ".join(words.split())) for name, _, words in rows])
                else:
                    formatter.write_text(paragraph)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments and options, a section a panel; panels stand in the order in which they come first."""
        panels: dict[str, list[tuple[str, str]]] = {ARGUMENTS: [], OPTIONS: []}
        common: list[tuple[str, str]] = []
        for parameter in self.get_params(ctx):
            record = record_of(parameter, ctx)
            if record is None:
                continue
            if parameter.param_type_name == "argument":
                panels[ARGUMENTS].append(record)
            elif parameter.name in COMMON_NAMES:
                common.append(record)
            else:
                panels.setdefault(getattr(parameter, "rich_help_panel", None) or OPTIONS, []).append(record)
        for title, records in {**panels, EVERYWHERE: common}.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the examples, a line each."""
        lines = EXAMPLES.get(self.name or "", ())
        if lines:
            with formatter.section("Examples"):
                for line in lines:
                    formatter.write(f"{'':>{formatter.current_indent}}{line}\n")


class Verbs(TyperGroup):
    """The program, whose help lists the verbs in groups with whole sentences."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options, then the verbs."""
        records = [record for parameter in self.get_params(ctx) if (record := record_of(parameter, ctx)) is not None]
        with formatter.section(OPTIONS):
            formatter.write_dl(records)
        self.format_commands(ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write what each verb does, the first sentence of its help."""
        listed = {name: self.purpose(ctx, name) for name in self.list_commands(ctx)}
        grouped = {name for names in VERBS.values() for name in names}
        others = tuple(name for name in listed if name not in grouped)
        for title, names in {**VERBS, "Others": others}.items():
            rows = [(name, first_sentence(listed[name])) for name in names if name in listed]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)

    def purpose(self, ctx: Any, name: str) -> str:
        """Return the help text of a verb."""
        verb = self.get_command(ctx, name)
        return (verb.help if verb is not None else None) or ""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write how to go on."""
        with formatter.section("Examples"):
            for line in (*EXAMPLES[""], "dedupindex VERB --help"):
                formatter.write(f"{'':>{formatter.current_indent}}{line}\n")


def first_sentence(text: str) -> str:
    """Return the first sentence of a help text in one line."""
    return re.split(r"(?<=[.?])\s", " ".join(text.split()), maxsplit=1)[0].rstrip(".")


def record_of(parameter: Any, context: Any) -> tuple[str, str] | None:
    """Return the names and the help of a parameter; of an argument without the type that typer shows."""
    record: Sequence[str] | None = parameter.get_help_record(context)
    if record is None:
        return None
    names, words = record
    if parameter.param_type_name == "argument":
        names = re.sub(r" <[^>]*>|\[\w+\]$", "", names)
    return names, words
