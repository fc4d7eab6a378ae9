"""Memory of describing large pictures: so many bytes a pixel, and no more."""

import subprocess
import sys
from pathlib import Path

import pytest

from dedupindex.execution.limits import LEAST_MEMORY
from dedupindex.settings import Settings
from tests.reliability.harness import ENVIRONMENT, ROOT
from tests.reliability.peaks import KINDS, samples

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="asks /proc for the highest memory")
QUICK = ("float TIFF", "float TIFF with holes")


@pytest.mark.parametrize(
    "kind", [kind if kind in QUICK else pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS]
)
def test_peak(tmp_path, kind):
    most, ending, write = KINDS[kind]
    write(tmp_path / f"a.{ending}", samples())
    done = subprocess.run(
        [sys.executable, "-m", "tests.reliability.peaks", kind, str(tmp_path)],
        cwd=ROOT, env=ENVIRONMENT | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = float(done.stdout)
    print(f"\n{kind}: {found:.1f} bytes a pixel, at most {most}")
    assert 0 < found <= most


def test_the_manual_says_what_the_limits_allow():
    """The largest pictures of each kind that the limits let through need what `limits.md` says."""
    page = (Path(__file__).parents[2] / "docs" / "pages" / "explanation" / "limits.md").read_text("utf-8")
    settings = Settings()
    sample = {"double TIFF": 8, "float colour TIFF": 12, "16-bit colour PNG": 6}
    largest = {
        kind: min(settings.max_pixels, settings.max_frame_bytes / sample.get(kind, 4)) * most
        for kind, (most, *_) in KINDS.items()
    }
    worst = max(largest.values())
    assert f"{worst / 1e9:.1f} GB" in page
    assert worst > LEAST_MEMORY  # so the limit of the worker is the one that counts on small machines
