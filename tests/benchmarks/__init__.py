"""Benchmarks: one command each, ratios within one run."""

import os

for _variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):  # as the command line does; before NumPy is loaded
    os.environ.setdefault(_variable, "1")
