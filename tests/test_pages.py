"""What docs/functions.md says of every function is what the registry says."""

import numpy as np
import pytest

from tests import pages


@pytest.mark.skipif(np.lib.NumpyVersion(np.__version__) < "2.1.0", reason="its ceil of integers is a float")
@pytest.mark.skipif(np.dtype(np.longdouble).itemsize == 8, reason="long double is double here")
def test_the_page_of_functions_is_true():
    written = pages.PAGE.read_text().splitlines()
    for line, expected in zip(written, pages.page().splitlines(), strict=True):
        assert line == expected, "run python -m tests.pages"
