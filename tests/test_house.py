"""The plan of the house holds: who imports whom, how long the engine is, what is public, what a reader sees runs."""

import ast
import doctest
import importlib
import inspect
import io
import pkgutil
import re
import subprocess
import sys
import tokenize
import tomllib
from pathlib import Path

import pytest

import tinygrad_np as tg
from tinygrad_np import errors, ops

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "tinygrad_np"
MODULES = sorted(m.name for m in pkgutil.walk_packages([str(PACKAGE)], "tinygrad_np."))
FLOORS = [
    {"errors"},
    {"values", "signatures"},
    {"program", "buffers", "modes", "files", "derived"},
    {"codegen"},
    {"primitives"},
    {"engine", "profiling", "debugging"},
    {"ops"},
    {"protocols"},
    {"tensors"},
    {"nn", "optim", "blocks"},
    {"facts"},
    {"verify"},
    {"strategies"},
    {"automark"},
    {"datasets"},
    {"experiments"},
    {"cli"},
    {"__main__", "__init__"},
]
"""A room imports from those above it in this list alone; what is inside a room knows each other."""


def room(name):
    return name.removeprefix("tinygrad_np.").split(".")[0]


def floor(name):
    (number,) = (i for i, rooms in enumerate(FLOORS) if room(name) in rooms)
    return number


def imports(path):
    """The modules of the package that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "tinygrad_np":
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("tinygrad_np."):
            yield node.module


def code_lines(path):
    """Lines of code: no blanks, no comments, no docstrings."""
    source = path.read_text()
    docstrings = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            docstrings |= set(range(node.lineno, node.end_lineno + 1))
    skipped = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    lines = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in skipped:
            lines |= set(range(token.start[0], token.end[0] + 1))
    return len(lines - docstrings)


def test_imports_run_one_way():
    paths = {room(str(p.relative_to(ROOT).with_suffix("")).replace("/", ".")): p for p in PACKAGE.glob("*.py")}
    folders = {path.parent.name for path in PACKAGE.glob("*/*.py")}
    assert {*paths, *folders} == set().union(*FLOORS)
    for path in PACKAGE.rglob("*.py"):
        here = path.stem if path.parent == PACKAGE else path.parent.name
        for target in imports(path):
            assert floor(target) < floor(here) or room(target) == here, f"{path.name} imports {target}"


@pytest.mark.parametrize("name", ["primitives.py", "engine.py"])
def test_the_engine_is_readable_in_ten_minutes(name):
    assert code_lines(PACKAGE / name) <= 150


def test_the_counter_of_lines_counts(tmp_path):
    sample = tmp_path / "sample.py"
    source = ['"""Doc.', '"""', "", "x = 1  # one", "# comment", "def f():", '    """Doc."""', "    return (", "x)"]
    sample.write_text("\n".join(source) + "\n")
    assert code_lines(sample) == 4


def test_public_names_are_sorted_and_there():
    assert tg.__all__ == sorted(tg.__all__)
    assert all(hasattr(tg, name) for name in tg.__all__)
    assert set(ops.__all__) < set(tg.__all__)


def test_no_public_name_is_taken_by_a_module():
    public = {name: getattr(tg, name) for name in tg.__all__}
    for name in MODULES:
        if not name.endswith("__main__"):
            importlib.import_module(name)
    assert all(getattr(tg, name) is thing for name, thing in public.items())


def test_importing_loads_numpy_and_the_standard_library_alone():
    check = (
        "import sys, numpy; before = set(sys.modules); import tinygrad_np; "
        "new = {name.split('.')[0] for name in set(sys.modules) - before}; "
        "print(sorted(new - set(sys.stdlib_module_names) - {'tinygrad_np', 'numpy'}))"
    )
    out = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_numpy_is_the_only_dependency():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["dependencies"] == ["numpy>=2.0"]


def public_things():
    """Every public function, class and primitive, with its module."""
    for name in MODULES:
        module = importlib.import_module(name) if not name.endswith("__main__") else None
        for attribute, thing in vars(module).items() if module else ():
            own = getattr(thing, "__module__", None) == name
            if own and not attribute.startswith("_") and callable(thing):
                yield f"{name}.{attribute}", thing
    yield from ((f"tinygrad_np.tensors.Tensor.{m}", getattr(tg.Tensor, m)) for m in ("backward", "numpy", "detach"))


USERS = ("ops", "files", "blocks", "nn", "optim", "datasets", "experiments", "cli", "tensors", "strategies")


def documented():
    """What users call: it needs a docstring with an example that runs."""
    extra = {"tinygrad_np.engine.grad", "tinygrad_np.engine.tape", "tinygrad_np.modes.no_grad"}
    extra |= {"tinygrad_np.primitives.primitive", "tinygrad_np.profiling.profile", "tinygrad_np.program.Memory"}
    extra |= {"tinygrad_np.debugging.debug", "tinygrad_np.derived.Derived", "tinygrad_np.protocols.nearest"}
    extra |= {f"tinygrad_np.verify.{name}" for name in ("check_grads", "check_vjp", "primitive", "all", "describe")}
    extra |= {"tinygrad_np.facts.choices.Choices"}
    marker = ("test_student_function", "get_progress", "register", "marking.mark", "folder.set_up", "limits.limited")
    extra |= {f"tinygrad_np.automark.{name}" for name in (*marker, "progress.Progress", "assignments.function")}
    for name, thing in public_things():
        inner = (ops.losses.rows, ops.elementwise.real, tg.tensors.Leaf)
        if (room(name) in USERS or name in extra) and thing not in inner:
            yield pytest.param(name, thing, id=name.removeprefix("tinygrad_np."))


@pytest.mark.parametrize(("name", "thing"), list(documented()))
def test_docstrings_have_an_example_that_runs(name, thing, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert thing.__doc__, f"{name} has no docstring"
    examples = doctest.DocTestParser().get_examples(inspect.cleandoc(thing.__doc__))
    assert examples, f"{name} has no example"
    module = next(m for m in (name.rsplit(".", i)[0] for i in (1, 2)) if m in sys.modules)
    scope = dict(vars(sys.modules[module]))
    runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.ELLIPSIS)
    out = io.StringIO()
    runner.run(doctest.DocTest(examples, scope, name, None, 0, thing.__doc__), out=out.write)
    assert runner.summarize(verbose=False).failed == 0, out.getvalue()


@pytest.mark.parametrize("kind", [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, Exception)])
def test_every_error_is_ours_and_pythons(kind):
    assert issubclass(kind, errors.TinygradError)
    assert kind.__doc__


# --- README -----------------------------------------------------------------------------------------------------------

README = (ROOT / "README.md").read_text()


def blocks_of(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_readmes_first_lines_say_what_it_is_and_is_not():
    assert "not a port of tinygrad" in " ".join(README.splitlines()[:8])


def test_readmes_python_blocks_run_and_print_what_stands_beneath(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    scope = {}
    sources = blocks_of("python")
    assert sources
    for source in sources:
        exec(compile(source, "README.md", "exec"), scope)
    printed = capsys.readouterr().out
    for expected in blocks_of("text"):
        assert expected in printed


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.name)
def test_python_blocks_of_the_docs_run_and_print_what_stands_beneath(page, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text, scope = page.read_text(), {}
    for source in re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        exec(compile(source, page.name, "exec"), scope)
    if page.name in ("automark.md", "verify.md"):
        printed = capsys.readouterr().out
        for expected in re.findall(r"^```text\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            assert expected in printed
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)#]+)\)", prose):
        assert (page.parent / target).exists() or target.startswith("https://"), target


def test_readmes_two_commands_are_one_line_each():
    first, second = blocks_of("sh")[0].strip().splitlines()
    for command in (first, second):
        assert command.startswith("python3 -m venv .venv && .venv/bin/pip install ")
    assert first.endswith("-m tinygrad_np digits")
    assert second.endswith("-m pytest")


def test_readmes_map_names_every_file_of_the_package():
    for path in PACKAGE.rglob("*.py"):
        assert path.name in README, path.name


def test_readmes_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists() or target.startswith("https://"), target


def test_numpys_global_generator_is_left_alone_outside_of_blocks():
    for path in PACKAGE.rglob("*.py"):
        calls = set(re.findall(r"np\.random\.(\w+)", path.read_text())) - {"Generator", "default_rng"}
        assert not calls or path.name == "blocks.py", (path.name, calls)
