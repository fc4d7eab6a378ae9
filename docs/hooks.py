"""Parts of the manual that are taken from the program when the site is built: commands, settings, relations, Python.

MkDocs calls `on_page_markdown`. A page asks for a part with a line ``<!-- generated: NAME -->``; `GENERATED` holds the
names. Nothing that the program knows of itself is written down a second time.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import typer

import dedupindex
import dedupindex.compare
import dedupindex.prepare
from dedupindex.cli.main import app
from dedupindex.cli.options import COMMON
from dedupindex.reports.wording import FLAGS, MEANING
from dedupindex.settings import EFFORTS, Settings

MARKER = re.compile(r"^<!-- generated: ([a-z-]+) -->$", re.MULTILINE)


def verbs() -> Iterator[tuple[str, Any, Any]]:
    """Yield name, command and context of every verb, in the order of ``dedupindex --help``."""
    program: Any = typer.main.get_command(app)
    context = program.make_context("dedupindex", ["--version"], resilient_parsing=True)
    for name in program.list_commands(context):
        command = program.get_command(context, name)
        if not command.hidden:
            yield name, command, command.make_context(name, [], parent=context, resilient_parsing=True)


def options(command: Any, context: Any) -> Iterator[tuple[Any, str, str]]:
    """Yield every parameter of a command with its names and its help, as ``--help`` shows them."""
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None:
            yield parameter, record[0], _prose(record[1])


def commands() -> str:
    """Return a section for every verb: what it does, its arguments, its options."""
    parts = []
    for name, command, context in verbs():
        parts += [f"## {name}", _text(command.help), f"```text\n{' '.join(_usage(command, context))}\n```"]
        own: list[tuple[Any, str, str]] = []
        settings: list[tuple[Any, str, str]] = []
        for parameter, names, words in options(command, context):
            if parameter.name in COMMON or "--help" in parameter.opts:
                continue
            known = (getattr(parameter, "rich_help_panel", None) or "").startswith("Settings")
            (settings if known else own).append((parameter, names, words))
        if own:
            parts.append(_table(("option", "meaning"), [(f"`{names}`", words) for _, names, words in own]))
        if settings:
            taken = ", ".join(f"`{names.split()[0]}`" for _, names, _ in settings)
            parts.append(f"[Settings](settings.md) as flags: {taken}.")
    return "\n\n".join(parts)


def summary() -> str:
    """Return a table of the verbs with the first sentence of their help."""
    rows = []
    for name, command, _ in verbs():
        first = re.split(r"(?<=\.)\s", _text(command.help), maxsplit=1)[0]
        rows.append((f"[`{name}`](#{name})", first))
    return _table(("verb", "what it does"), rows)


def common_options() -> str:
    """Return a table of the options that stand before the verb."""
    program: Any = typer.main.get_command(app)
    context = program.make_context("dedupindex", ["--version"], resilient_parsing=True)
    return _table(("option", "meaning"), [(f"`{names}`", words) for _, names, words in options(program, context)])


def settings_table(*, shapes: bool) -> str:
    """Return a table of the settings that shape features, or of the others."""
    flags: dict[str, str] = {}
    for _, command, context in verbs():
        for parameter, names, _ in options(command, context):
            if (getattr(parameter, "rich_help_panel", None) or "").startswith("Settings"):
                flags[parameter.name] = names.split()[0]
    rows = []
    for described in dataclasses.fields(Settings):
        if described.metadata["shapes"] != shapes:
            continue
        name = described.name
        flag = f"`{flags[name]}`" if name in flags else "none"
        rows.append((f"`{name}`", _default(described.default), described.metadata["help"], flag))
    return _table(("setting", "default", "meaning", "flag"), rows)


def efforts() -> str:
    """Return a table of what each effort stands for."""
    names = list(next(iter(EFFORTS.values())))
    rows = [(f"`{effort}`", *(f"{values[name]:g}" for name in names)) for effort, values in EFFORTS.items()]
    return _table(("effort", *(f"`{name}`" for name in names)), rows)


def relations() -> str:
    """Return a table of the relations."""
    return _table(("relation", "meaning"), [(f"`{relation}`", words) for relation, words in MEANING.items()])


def flags() -> str:
    """Return a table of the flags that a group can carry."""
    return _table(("flag", "meaning"), [(f"`{flag}`", words) for flag, words in FLAGS.items()])


def public_names() -> str:
    """Return mkdocstrings directives for the public names of the package: functions and facade, records, errors."""
    names = [name for name in dedupindex.__all__ if not name.startswith("__")]
    values = {name: getattr(dedupindex, name) for name in names}
    errors = [n for n, v in values.items() if inspect.isclass(v) and issubclass(v, BaseException)] + ["Reason"]
    facade = [n for n, v in values.items() if n == "Index" or n == "Settings" or inspect.isfunction(v)]
    records = [name for name in names if name not in errors and name not in facade]
    parts = []
    for title, members in (("The index", facade), ("Records", records), ("Errors", errors)):
        parts += [f"## {title}", *(f"::: dedupindex.{name}" for name in members)]
    return "\n\n".join(parts)


def public_functions(package: Any) -> str:
    """Return mkdocstrings directives for the public names of a package of array functions."""
    return "\n\n".join(f"::: {package.__name__}.{name}" for name in package.__all__)


GENERATED: Mapping[str, Callable[[], str]] = {
    "commands": commands,
    "command-summary": summary,
    "common-options": common_options,
    "shaping-settings": lambda: settings_table(shapes=True),
    "other-settings": lambda: settings_table(shapes=False),
    "efforts": efforts,
    "relations": relations,
    "group-flags": flags,
    "python": public_names,
    "python-compare": lambda: public_functions(dedupindex.compare),
    "python-prepare": lambda: public_functions(dedupindex.prepare),
}


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put the generated parts in their places; MkDocs calls this for every page."""
    return MARKER.sub(lambda match: GENERATED[match[1]](), markdown)


def _usage(command: Any, context: Any) -> list[str]:
    return ["dedupindex", context.info_name, *command.collect_usage_pieces(context)]


def _text(help_text: str | None) -> str:
    return inspect.cleandoc(help_text or "").replace("\f", "").replace("<", "&lt;")


def _prose(words: str) -> str:
    """Keep what means something in Markdown from being read as such: ``[default: 1; x>=1]`` is no link."""
    return re.sub(r"([\[\]*<])", r"\\\1", words)


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _default(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(f"`{item}`" for item in value) or "none"
    return "none" if value == "" else f"`{str(value).lower() if isinstance(value, bool) else value}`"
