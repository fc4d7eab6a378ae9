"""Print the one command that stands in README.md after a marker: `readme_line.py README.md test`."""

import re
import sys
from pathlib import Path


def command_after(text: str, marker: str) -> str:
    """Return the single line of the ``sh`` block right after ``<!-- marker -->``."""
    found = re.findall(rf"^<!-- {re.escape(marker)} -->\n```sh\n([^\n]+)\n```$", text, re.MULTILINE)
    if len(found) != 1:
        raise SystemExit(f"README.md must hold one block of one line after <!-- {marker} -->, not {len(found)}")
    return str(found[0])


if __name__ == "__main__":
    print(command_after(Path(sys.argv[1]).read_text("utf-8"), sys.argv[2]))
