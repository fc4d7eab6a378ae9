"""Numbers and times in words."""

from __future__ import annotations


def count(number: int, one: str, many: str = "") -> str:
    """Return a number with its noun.

    Parameters
    ----------
    number : int
    one : str
        The noun for one.
    many : str
        The noun for others; by default *one* with an s.

    Returns
    -------
    str
        Like ``1,200 files``.
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def pace(number: int, seconds: float) -> str:
    """How long something took, and how many a second where that says something."""
    return duration(seconds) + (f", {number / seconds:,.0f} a second" if number >= 100 and seconds >= 1 else "")


def duration(seconds: float) -> str:
    """Return a time as people say it."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
