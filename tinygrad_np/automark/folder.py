"""A student's folder, in which the course's own notebooks run as they are."""

from __future__ import annotations

import os
from pathlib import Path

from tinygrad_np.errors import RangeError
from tinygrad_np.files import replacing

_MARKER = """\
# The course's marker
import sys

from tinygrad_np import automark

sys.modules[__name__] = automark
"""

SHIMS = {
    "automark.py": _MARKER,
    "Blocks.py": "# The course's functions and classes\nfrom tinygrad_np.blocks import *\n",
}
"""What the files of the course's notebooks are, by name."""


def set_up(folder: str | os.PathLike[str]) -> list[Path]:
    """Write `SHIMS` into a folder, which is made if it is not there. A file that is there is never replaced.

    Raises
    ------
    RangeError
        If one of the files is there, or the folder is a file. Nothing is written then.

    Examples
    --------
    >>> [path.name for path in set_up("course")]
    ['automark.py', 'Blocks.py']
    """
    place = Path(folder)
    if place.exists() and not place.is_dir():
        raise RangeError(f"course: expected a folder, got the file {str(place)!r}")
    paths = [place / name for name in SHIMS]
    if there := [path for path in paths if path.exists() or path.is_symlink()]:
        raise RangeError(
            f"course: {', '.join(map(str, there))} already there, and never replaced; move away what is there, or name "
            "another folder"
        )
    place.mkdir(parents=True, exist_ok=True)
    for path in paths:
        with replacing(path) as part:
            part.write_text(SHIMS[path.name])
    return paths
