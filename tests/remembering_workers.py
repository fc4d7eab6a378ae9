"""Workers of the tests' own process: they remember what stages computed while the fixture `remembered` is in use.

Their template imports this module in place of the one with the main loop alone; see `tests/conftest.py`.
"""

import os
from pathlib import Path

from dedupindex.execution.worker import serve as serve
from tests.remembered import Results, remember_stages

RESULTS = "DEDUPINDEX_TEST_RESULTS"  # the folder

_folder = Path(os.environ[RESULTS])
remember_stages(Results(_folder, os.getppid()))
