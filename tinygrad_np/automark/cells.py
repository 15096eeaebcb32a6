"""The code of a submission: the cells of a notebook (``.ipynb``) or of a Python file, without IPython's magics."""

from __future__ import annotations

import io
import json
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tinygrad_np.errors import FileFormatError


class Cell(NamedTuple):
    """A piece of code that stands or falls together: a notebook's code cell, or a part of a Python file.

    Examples
    --------
    >>> Cell("hinge.py", 3, "x = 1").where(1)
    'hinge.py, line 3'
    """

    name: str
    first: int
    """The line of its file that it begins at."""
    source: str

    def where(self, line: int) -> str:
        """In words, by a line counted from 1."""
        return f"{self.name}, line {line + self.first - 1}"


_PARTS = re.compile(r"^# (?:%%|In ?\[[\d ]*\]:).*$", re.MULTILINE)
"""What separates the cells of a notebook that was saved as a Python file."""

_LEFT_OUT = re.compile(r"\s*(?:[%!?]|(?:pip3?|conda)\s+[a-z]+\b(?!\s*[=(])|[\w.\[\]*]+\?{1,2}\s*$)")
_ASSIGNED = re.compile(r"(\s*[\w., ]+=\s*)[%!]")
_CELL_OF_PYTHON = re.compile(r"%%(?:time|timeit|capture|prun)\b")


def cells(path: Path) -> list[Cell]:
    """The code of a submission.

    Raises
    ------
    FileFormatError
        If it is a notebook by name, but not by content, no text, or empty.

    Examples
    --------
    >>> Path("a.py").write_text("x = 1")
    5
    >>> cells(Path("a.py"))
    [Cell(name='a.py', first=1, source='x = 1')]
    """
    content = path.read_bytes()
    is_notebook = path.suffix.lower() == ".ipynb"
    expected = f"{path.name}: expected {'a notebook, as Jupyter writes' if is_notebook else 'a Python file'}"
    if not content.strip():
        raise FileFormatError(f"{expected}, got an empty file: ask for it again")
    if is_notebook:
        try:
            texts = list(_notebook(content))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise FileFormatError(f"{expected}, got {_no_notebook(content, error)}: ask for it again") from error
        return [Cell(f"{path.name}, code cell {i}", 1, _dedented(text)) for i, text in enumerate(texts, 1)]
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        text = io.TextIOWrapper(io.BytesIO(content), encoding).read()
        if "\0" in text:
            raise UnicodeError("it has bytes that are zero")
    except (SyntaxError, UnicodeError) as error:
        is_zip = content.startswith(_ZIP)
        what = "a zip archive" if is_zip else "one that is no text in UTF-8, or in the coding that it names"
        raise FileFormatError(f"{expected}, got {what}: ask for it again") from error
    starts = [0, *(found.start() for found in _PARTS.finditer(text) if _is_statement(text[: found.start()]))]
    parts = zip(starts, [*starts[1:], len(text)], strict=True)
    return [Cell(path.name, text.count("\n", 0, a) + 1, text[a:b]) for a, b in parts if text[a:b].strip()]


def _notebook(content: bytes) -> Iterator[str]:
    """The text of a notebook's code cells, of format 3 or 4."""
    notebook = json.loads(content)
    if "worksheets" in notebook:
        found = [cell for sheet in notebook["worksheets"] for cell in sheet["cells"]]
    else:
        found = notebook["cells"]
    for cell in found:
        if cell["cell_type"] == "code":
            source = cell["source"] if "source" in cell else cell["input"]
            yield source if isinstance(source, str) else "".join(source)


def _no_notebook(content: bytes, error: Exception) -> str:
    """What a file is that could not be read as a notebook."""
    if content.startswith(_ZIP):
        return "a zip archive"
    if isinstance(error, json.JSONDecodeError) and content.lstrip().startswith(b"{"):
        return "one that is cut off or damaged"
    if isinstance(error, (ValueError, RecursionError)):
        return "something else under the name of one"
    return "one whose cells are missing or damaged"


_ZIP = b"PK\3\4"


def lines_of(text: str) -> list[str]:
    """Its lines as Python counts them: ``str.splitlines`` knows other ends of lines too."""
    return re.split(r"\r\n?|\n", text)


def _dedented(source: str) -> str:
    """A cell as Jupyter runs it: without the indent of its first line."""
    lines = lines_of(source)
    first = next((line for line in lines if line.strip()), "")
    indent = first[: len(first) - len(first.lstrip(" \t"))]
    return "\n".join(line.removeprefix(indent) for line in lines)


def without_magics(source: str) -> str:
    """The source with IPython's own lines replaced by ``pass``, so that all others keep their numbers.

    Examples
    --------
    >>> print(without_magics("%matplotlib inline\\nfiles = !ls\\nx = (7\\n  % 2)"))
    pass
    files = None
    x = (7
      % 2)
    """
    if source.lstrip().startswith("%%"):
        start = len(source) - len(source.lstrip())
        if not _CELL_OF_PYTHON.match(source, start):
            return ""
    lines = lines_of(source)
    for i, line in enumerate(lines):
        left_out, assigned = _LEFT_OUT.match(line), _ASSIGNED.match(line)
        if (left_out or assigned) and _is_statement("\n".join(lines[:i])):
            indent = line[: len(line) - len(line.lstrip())]
            lines[i] = f"{assigned[1]}None" if assigned else f"{indent}pass"
    return "\n".join(lines)


def _is_statement(before: str) -> bool:
    """Whether what follows this text is a new statement, and not in a bracket, a string or a continued line."""
    if before.rstrip("\n").endswith("\\"):
        return False
    try:
        for _ in tokenize.generate_tokens(io.StringIO(before).readline):
            pass
    except tokenize.TokenError:
        return False
    except SyntaxError:  # as of an indent
        return True
    return True
