"""The script by which zsh completes; the one that typer writes does nothing at the first TAB of a shell.

zsh loads the script when the first TAB asks for it and runs it in place of the function. It must then complete, and not
only define what completes from the second TAB on.
"""

from __future__ import annotations

from contextlib import suppress

_ZSH = "zsh"
_AT_THE_FIRST_TAB = """
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
  %(complete_func)s "$@"
fi
"""


def complete_from_the_first_tab() -> None:
    """Let the script for zsh complete when it is loaded, as far as typer still keeps its scripts by name."""
    with suppress(ImportError, AttributeError, KeyError):  # a private part of typer: another version may lack it
        from typer._completion_shared import _completion_scripts as scripts

        if "loadautofunc" not in scripts[_ZSH]:
            scripts[_ZSH] = scripts[_ZSH].rstrip("\n") + "\n" + _AT_THE_FIRST_TAB
