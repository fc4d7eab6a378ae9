"""How long a stage still takes, by what was done in the last minute; a number that people can watch.

A rate of the last seconds jumps with every large file, and one of the whole stage follows too late. So the last minute
is cut into slices, and the median of their rates counts, by their lengths. What is shown runs down like a clock, and
is set anew only when it is clearly wrong.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections import deque
from itertools import pairwise

from dedupindex.reports.amounts import duration

WINDOW = 60.0  # seconds that are looked back
SLICES = 12  # of the window; a median of fewer follows single large files
FINEST = 0.1  # seconds between two moments that are kept
LEAST = 2.0  # seconds, and
FEWEST = 2  # advances, before there is a number
WRONG = 0.2  # share by which what is shown may differ from what is known now


class TimeLeft:
    """Time left of one stage.

    Parameters
    ----------
    total : int, optional
        How much there is; without it there is no answer.
    """

    def __init__(self, total: int | None = None) -> None:
        self.total = total
        self.done = 0
        self._seen: deque[tuple[float, int]] = deque()  # moments, and what was done by then
        self._ends = 0.0  # when the stage ends by what was shown last; 0 = nothing was shown

    def advance(self, n: int) -> None:
        """Count what was done."""
        now = time.monotonic()
        self.done += n
        if len(self._seen) > 1 and now - self._seen[-2][0] < FINEST:
            self._seen[-1] = (now, self.done)
        else:
            self._seen.append((now, self.done))
        while len(self._seen) > 2 and self._seen[1][0] <= now - WINDOW:
            self._seen.popleft()

    def seconds(self) -> float | None:
        """Seconds left; None where they are not known."""
        if self.total is None or len(self._seen) < FEWEST:
            return None
        now = time.monotonic()
        rate = self._rate(now)
        if rate is None:
            return None
        left = max(0, self.total - self.done) / rate
        shown = self._ends - now
        if not self._ends or abs(shown - left) > WRONG * max(left, 1.0):
            self._ends, shown = now + left, left
        return max(0.0, shown)

    def text(self) -> str:
        """Return the time left in words; empty where it is not known."""
        left = self.seconds()
        return "" if left is None else f"{f'{left:.0f} s' if left < 59.5 else duration(round(left))} left"

    def _rate(self, now: float) -> float | None:
        """Of the last minute, a second; the first results do not count, because workers started before them."""
        moments = [moment for moment, _ in self._seen]
        first, span = moments[0], now - moments[0]
        if span < LEAST:
            return None
        edges = (first + span * number / SLICES for number in range(SLICES + 1))
        ends = dict.fromkeys(bisect_right(moments, edge) - 1 for edge in edges)  # slices begin and end with a result
        slices = [(moments[j] - moments[i], self._seen[j][1] - self._seen[i][1]) for i, j in pairwise(ends)]
        slices.sort(key=lambda slice: slice[1] / slice[0])
        half, passed = sum(seconds for seconds, _ in slices) / 2, 0.0
        for seconds, done in slices:
            passed += seconds
            if passed >= half:
                waited = now - moments[-1]  # for the next result: longer than for others, where work got slower
                return done / max(seconds, waited) or None
        return None
