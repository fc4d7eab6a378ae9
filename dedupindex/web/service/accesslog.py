"""A line for every request: who, what, how long. Never a token; names of pictures only where that was asked for."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from dedupindex.reports.names import shown

log = logging.getLogger(__name__)
_FIELDS = "served"  # of a log record: what a line of JSON has besides its message


@dataclass(frozen=True, slots=True)
class Served:
    """A request that was answered."""

    request: str  # made up by us, also a header of the answer
    method: str
    endpoint: str  # the route, "/api/images/{key}"; without what was asked for
    status: int
    seconds: float
    received: int  # bytes of the body
    sent: int
    token: str  # its name; "" = none
    client: str  # address
    path: str = ""  # as it was asked for, where names may be logged


class JsonLines(logging.Formatter):
    """Log records as JSON, one a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {"time": moment, "level": record.levelname.lower(), "logger": record.name}
        line["message"] = record.getMessage()
        line.update(getattr(record, _FIELDS, {}))
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def note(served: Served) -> None:
    """Write the line of a request."""
    fields = {**asdict(served), "seconds": round(served.seconds, 4)}
    if not served.path:
        del fields["path"]
    words = f"{served.method} {shown(served.path) or served.endpoint} {served.status}"
    log.info("%s %.0f ms, %s", words, served.seconds * 1e3, served.token or "nobody", extra={_FIELDS: fields})


def speak_json() -> None:
    """Let every log line of the program and of its server be JSON, those of requests included."""
    log.setLevel(logging.INFO)
    for handler in logging.getLogger("dedupindex").handlers:
        handler.setFormatter(JsonLines())
        logging.getLogger("uvicorn").addHandler(handler)
