"""Benchmarks: what a step costs, as a multiple of the same step written by hand in NumPy. Run ``python -m benchmarks``.

BLAS reads how many threads to use when NumPy is imported, and so do the peers; they are told here, before any other
module of the package.
"""

import os

THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")

for variable in THREADS:
    os.environ.setdefault(variable, "1")
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
os.environ.setdefault("NPROC", "1")  # without it XLA shares the loops of a step among all processors
os.environ.setdefault("JAX_PLATFORMS", "cpu")
