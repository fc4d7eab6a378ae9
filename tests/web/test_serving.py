"""Listening on a port: what is said where it is not possible."""

import socket
from pathlib import Path

import pytest

from dedupindex.errors import said
from dedupindex.web.shared.serving import listening

PAGE = Path(__file__).parents[2] / "docs" / "pages" / "reference" / "reasons.md"


def test_a_taken_port_is_told_as_the_manual_says():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="cannot listen") as caught:
            listening("127.0.0.1", port)
    assert f"`{said(caught.value).replace(str(port), '8000')}`" in PAGE.read_text("utf-8")


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid"])
def test_a_host_that_is_none_of_this_machine(host):
    with pytest.raises(OSError, match=f"cannot listen on {host} port 0") as caught:
        listening(host, 0)
    assert "Errno" not in said(caught.value)
