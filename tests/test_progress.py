"""The table is the course's, and what was recorded stays, whatever happens to processes, files and folders."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import unicodedata
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_np.automark import progress as module
from tinygrad_np.automark.progress import Progress, ProgressError
from tinygrad_np.errors import ArgumentError, RangeError, TinygradError

COURSE = """\
---------------------------------------------
| Your name / student number                |
| your_email@your_domain.whatever           |
---------------------------------------------
| box_blur                 | not attempted  |
| conv_matrix              | not attempted  |
| dense_forward            | completed      |
| dense_grad_W             | completed      |
| dense_grad_b             | completed      |
| dense_grad_input         | completed      |
| dropout_forward          | completed      |
| dropout_grad_input       | completed      |
| flatten_forward          | not attempted  |
| flatten_grad_input       | not attempted  |
| hinge_forward            | completed      |
| hinge_grad_input         | completed      |
| l2_regularizer           | completed      |
| maxpool_forward          | not attempted  |
| mse_forward              | completed      |
| mse_grad_input           | completed      |
| relu_forward             | completed      |
| relu_grad_input          | completed      |
---------------------------------------------"""
FUNCTIONS = [line.split()[1] for line in COURSE.splitlines()[4:-1]]
LATER = ("box_blur", "conv_matrix", "flatten_forward", "flatten_grad_input", "maxpool_forward")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "automark.sqlite"


@pytest.fixture
def progress(path):
    return Progress(path)


# --- the table --------------------------------------------------------------------------------------------------------


def test_the_table_is_the_courses_byte_by_byte(progress):
    progress.register("s1", "Your name / student number", "your_email@your_domain.whatever")
    for function in FUNCTIONS:
        if function not in LATER:
            progress.record("s1", function, "completed", seed=1)
    assert progress.table("s1") == COURSE


def test_an_unknown_username_has_a_table_and_no_file_is_made(progress, path):
    lines = progress.table("s1").splitlines()
    assert lines[1:3] == [f"| {'s1':41} |", f"| {'-':41} |"]
    assert lines[4:-1] == [f"| {function:24} | not attempted  |" for function in FUNCTIONS]
    assert not path.exists()


def test_attempted_is_shown(progress):
    progress.record("s1", "relu_forward", "attempted", seed=1)
    assert "| relu_forward             | attempted      |" in progress.table("s1")


def test_registering_again_replaces_name_and_mail_and_keeps_the_statuses(progress):
    progress.record("s1", "relu_forward", "completed")
    progress.register("s1", "Ada", "ada@example.org")
    progress.register("s1", "Ada Lovelace", "lovelace@example.org")
    assert progress.table("s1").splitlines()[1:3] == [f"| {'Ada Lovelace':41} |", f"| {'lovelace@example.org':41} |"]
    assert progress.statuses("s1")["relu_forward"] == "completed"


def columns(line):
    return sum(0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in "WF") for c in line)


PRINTABLE = st.text(min_size=1, max_size=100).filter(lambda text: text.isprintable() and text.strip())


@given(PRINTABLE, PRINTABLE)
def test_no_name_breaks_the_frame(tmp_path_factory, name, mail):
    progress = Progress(tmp_path_factory.mktemp("progress") / "automark.sqlite")
    progress.register("s1", name, mail)
    lines = progress.table("s1").split("\n")
    assert len(lines) == len(COURSE.splitlines())
    assert all(columns(line) == 45 for line in lines)


@pytest.mark.parametrize("name", ["x" * 42, "王" * 30, "e\u0301x" * 40, "|" * 60])
def test_a_long_name_is_shortened_with_an_ellipsis(progress, name):
    progress.register("s1", name, "m" * 41)
    (_, first, second, *_) = progress.table("s1").splitlines()
    assert first.rstrip(" |").endswith("...")
    assert second == f"| {'m' * 41} |"


# --- usernames --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "username", ["s1", "Ada Lovelace", "ada@example.org", "王小明", 1234567, -1, "'; DROP TABLE x"]
)
def test_any_sensible_username_is_known_from_its_first_use(progress, username):
    progress.record(username, "relu_forward", "attempted", seed=1)
    assert progress.statuses(username)["relu_forward"] == "attempted"
    assert f"| {username} " in progress.table(username)


def test_a_username_is_the_same_however_it_is_given(progress):
    progress.record(123, "relu_forward", "attempted")
    progress.record("é", "relu_forward", "attempted")
    for same in ("123", " 123 ", "e\u0301"):
        assert progress.statuses(same)["relu_forward"] == "attempted"
    assert progress.statuses("0123")["relu_forward"] == "not attempted"


@pytest.mark.parametrize("username", ["", "  ", "a\nb", "a\x00", "\x7f", "a\u202eb", "\ud800", "x" * 257])
def test_texts_that_are_no_usernames_are_refused(progress, path, username):
    for call in (progress.table, progress.statuses, lambda u: progress.record(u, "relu_forward", "attempted")):
        with pytest.raises(RangeError, match="expected a username of"):
            call(username)
    assert not path.exists()


@pytest.mark.parametrize("username", [None, True, 1.5, b"s1", ["s1"], pytest.param(10**5000, id="huge")])
def test_things_that_are_no_usernames_are_refused(progress, username):
    with pytest.raises(ArgumentError, match="expected a username in quotes"):
        progress.table(username)


def test_names_and_mails_are_refused_alike(progress):
    with pytest.raises(RangeError, match="expected a name of"):
        progress.register("s1", "A\nB", "mail")
    with pytest.raises(ArgumentError, match="expected a mail in quotes"):
        progress.register("s1", "Ada", None)


def test_functions_and_statuses_that_do_not_exist_are_refused(progress):
    with pytest.raises(RangeError, match=r"expected one of the functions box_blur, .* got 'relu'"):
        progress.record("s1", "relu", "attempted")
    for status in ("not attempted", "done", None):
        with pytest.raises(RangeError, match="'attempted' or 'completed'"):
            progress.record("s1", "relu_forward", status)


# --- what was recorded stays ------------------------------------------------------------------------------------------


@given(st.lists(st.sampled_from(["attempted", "completed"]), min_size=1, max_size=6))
def test_completed_is_never_taken_back_and_the_seed_is_that_of_the_status(tmp_path_factory, runs):
    progress = Progress(tmp_path_factory.mktemp("progress") / "automark.sqlite")
    for seed, status in enumerate(runs):
        progress.record("s1", "relu_forward", status, seed)
    best = max(runs)
    assert progress.statuses("s1")["relu_forward"] == best
    assert progress.seeds("s1") == {"relu_forward": max(i for i, status in enumerate(runs) if status == best)}


def test_seeds_of_any_size_are_kept_and_none_is_none(progress):
    progress.record("s1", "relu_forward", "attempted", seed=2**130)
    progress.record("s1", "box_blur", "attempted")
    assert progress.seeds("s1") == {"relu_forward": 2**130}


def test_students_do_not_share_anything(progress):
    progress.record("s1", "relu_forward", "completed")
    assert set(progress.statuses("s2").values()) == {"not attempted"}


def test_it_is_in_the_file_with_a_rollback_journal(progress, path):
    progress.record("s1", "relu_forward", "completed")
    assert list(files(path.parent)) == ["automark.sqlite"]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)


RECORDING = """
import sys
from tinygrad_np.automark.progress import Progress
from tinygrad_np.automark.tasks import GRADED
progress = Progress(sys.argv[1], patience=60)
for i in range(int(sys.argv[2])):
    username, function = f"{sys.argv[3]}{i // 18}", GRADED[i % 18]
    progress.record(username, function, sys.argv[4], seed=i)
    print(username, function, flush=True)
"""


def recording(path, count, username, status):
    command = [sys.executable, "-c", RECORDING, str(path), str(count), username, status]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_two_processes_at_once_lose_nothing(path, progress):
    several = [recording(path, 90, "s", "completed"), recording(path, 90, "s", "attempted")]
    for process in several:
        process.communicate(timeout=300)
    assert [process.returncode for process in several] == [0, 0]
    for i in range(5):
        assert set(progress.statuses(f"s{i}").values()) == {"completed"}


def test_a_process_that_is_killed_in_the_midst_loses_nothing_that_it_recorded(path, progress):
    process = recording(path, 100_000, "s", "completed")
    lines = [process.stdout.readline() for _ in range(25)]
    process.kill()
    rest, _ = process.communicate(timeout=300)
    recorded = [line.split() for line in [*lines, *rest.splitlines(keepends=True)] if line.endswith("\n")]
    assert len(recorded) >= 25
    assert all(progress.statuses(username)[function] == "completed" for username, function in recorded)
    progress.record("another", "relu_forward", "completed")
    assert integrity(path) == "ok"


def integrity(path):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("PRAGMA integrity_check").fetchone()[0]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill -9")
def test_a_process_that_is_killed_while_the_file_is_half_written(path, progress):
    progress.record("s1", "relu_forward", "completed")
    program = (
        "import os, sqlite3, sys\n"
        "connection = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "connection.execute('PRAGMA cache_size = 1')\n"
        "connection.execute('BEGIN IMMEDIATE')\n"
        "connection.execute(\"UPDATE statuses SET status = 'attempted'\")\n"
        "for i in range(5000):\n"
        "    connection.execute('INSERT INTO students VALUES (?, ?, ?)', (str(i), 'x' * 50, 'y' * 50))\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(path)], timeout=300)
    assert path.with_name("automark.sqlite-journal").stat().st_size > 0
    assert progress.statuses("s1")["relu_forward"] == "completed"
    progress.record("s1", "box_blur", "completed")
    assert progress.table("4").splitlines()[2] == f"| {'-':41} |"
    assert integrity(path) == "ok"


# --- where the file is ------------------------------------------------------------------------------------------------


def test_it_is_in_the_current_directory(tmp_path, monkeypatch):
    monkeypatch.delenv("TINYGRAD_AUTOMARK_DB", raising=False)
    monkeypatch.chdir(tmp_path)
    Progress().record("s1", "relu_forward", "completed")
    assert list(files(tmp_path)) == ["automark.sqlite"]


def test_or_where_the_environment_says_or_where_the_code_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TINYGRAD_AUTOMARK_DB", str(tmp_path / "by environment"))
    progress = Progress()
    assert progress.file == tmp_path / "by environment"
    progress.path = tmp_path / "by code"
    assert progress.file == tmp_path / "by code"
    monkeypatch.setenv("TINYGRAD_AUTOMARK_DB", "")
    assert Progress().file == tmp_path / "automark.sqlite"


def test_the_package_does_not_import_sqlite3():
    check = (
        "import sys; before = set(sys.modules); import tinygrad_np.automark; "
        "print('sqlite3' in set(sys.modules) - before)"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# --- where it cannot be written ---------------------------------------------------------------------------------------


def refuses(progress, match):
    """Recording fails with our error, which says why, and changes no file."""
    before = files(progress.file.parent)
    with pytest.raises(ProgressError, match=match):
        progress.record("s1", "relu_forward", "completed")
    assert files(progress.file.parent) == before


def files(folder):
    """What is in a folder, but for the file whose lock is shared."""
    return {p.name: p.is_file() and p.read_bytes() for p in folder.glob("*") if p.name != ".automark.sqlite.lock"}


def test_a_folder_that_does_not_exist(tmp_path):
    progress = Progress(tmp_path / "none" / "automark.sqlite")
    refuses(progress, "could not write .*none.*TINYGRAD_AUTOMARK_DB")
    assert set(progress.statuses("s1").values()) == {"not attempted"}


def test_a_path_below_a_file(tmp_path):
    (tmp_path / "file").write_text("mine")
    progress = Progress(tmp_path / "file" / "automark.sqlite")
    refuses(progress, "could not write")
    assert set(progress.statuses("s1").values()) == {"not attempted"}


def test_a_folder_in_place_of_the_file(progress, path):
    path.mkdir()
    refuses(progress, "could not write")
    with pytest.raises(ProgressError, match="could not read"):
        progress.table("s1")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is read-only for root")
def test_a_folder_that_is_read_only_can_still_be_read(progress, path):
    progress.record("s1", "box_blur", "completed")
    path.chmod(0o400)
    path.parent.chmod(0o500)
    try:
        refuses(progress, "could not write")
        assert progress.statuses("s1")["box_blur"] == "completed"
    finally:
        path.parent.chmod(0o700)


def test_reading_needs_nothing_to_be_written(progress, path):
    progress.record("s1", "box_blur", "completed")
    path.with_name(".automark.sqlite.lock").unlink()
    path.with_name(".automark.sqlite.lock").mkdir()  # so that it cannot be opened
    refuses(progress, "could not write")
    assert progress.statuses("s1")["box_blur"] == "completed"


def test_a_file_that_is_locked_is_left_alone(path):
    progress = Progress(path, patience=0.01)
    progress.record("s1", "box_blur", "completed")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        refuses(progress, "could not write .*locked.*try again")
        with pytest.raises(ProgressError, match=r"could not read .*locked"):
            progress.table("s1")
    assert list(files(path.parent)) == ["automark.sqlite"]
    progress.record("s1", "relu_forward", "completed")
    assert progress.statuses("s1")["box_blur"] == "completed"


def test_it_waits_for_one_that_is_locked_for_a_while(path):
    progress = Progress(path, patience=60)
    progress.record("s1", "box_blur", "completed")
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN EXCLUSIVE")
        later = threading.Timer(0.1, lambda: other.execute("COMMIT"))
        later.start()
        progress.record("s1", "relu_forward", "completed")
        later.join()
    assert progress.statuses("s1")["relu_forward"] == "completed"


def test_a_newer_schema_is_neither_read_nor_written(progress, path):
    progress.record("s1", "box_blur", "completed")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 2")
    refuses(progress, "newer version .*install")
    with pytest.raises(ProgressError, match=r"could not read .*newer version"):
        progress.table("s1")


def test_another_programs_database_is_left_alone(progress, path):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE mine (x)")
    refuses(progress, "another program's database")


def test_a_python_without_sqlite(progress, monkeypatch):
    monkeypatch.setitem(sys.modules, "sqlite3", None)
    refuses(progress, "could not write .*sqlite3")


def test_the_error_is_ours_and_pythons():
    assert issubclass(ProgressError, TinygradError)
    assert issubclass(ProgressError, RuntimeError)


# --- damaged files ----------------------------------------------------------------------------------------------------


def written(path):
    """A file of many pages."""
    progress = Progress(path)
    progress.record("s1", "box_blur", "completed")
    with closing(sqlite3.connect(path)) as connection:
        many = [(f"t{i}", function, "completed", "1") for i in range(60) for function in FUNCTIONS]
        connection.executemany("INSERT INTO statuses VALUES (?, ?, ?, ?)", many)
        connection.commit()
    return path.read_bytes()


def damage(path, how):
    content = written(path)
    path.write_bytes(
        {
            "text": b"username,function\n" * 100,
            "short text": b"xy",
            "half": content[: len(content) // 2],
            "one page": content[:4096],
            "header": content[:100],
            "no page": content[:2048],
            "overwritten": content[:4096] + b"\xff" * (len(content) - 4096),
        }[how]
    )
    return path.read_bytes()


DAMAGES = ["text", "short text", "half", "one page", "header", "no page", "overwritten"]


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_file_is_set_aside_and_a_new_one_begun(progress, path, how):
    content = damage(path, how)
    with pytest.warns(UserWarning, match=r"was damaged, .* it is now 'automark.sqlite.corrupt-1'"):
        progress.record("s1", "relu_forward", "completed")
    assert path.with_name("automark.sqlite.corrupt-1").read_bytes() == content
    assert progress.statuses("s1")["relu_forward"] == "completed"
    assert progress.statuses("s1")["box_blur"] == "not attempted"


@pytest.mark.parametrize("how", DAMAGES)
def test_so_it_is_for_who_only_reads(progress, path, how):
    content = damage(path, how)
    with pytest.warns(UserWarning, match="was damaged"):
        lines = progress.table("s1").splitlines()
    assert lines[1] == f"| {'s1':41} |"
    assert path.with_name("automark.sqlite.corrupt-1").read_bytes() == content


def test_none_that_was_set_aside_is_overwritten(progress, path):
    for number in (1, 2, 3):
        path.write_text(f"damaged {number}")
        with pytest.warns(UserWarning, match=f"corrupt-{number}"):
            progress.record("s1", "relu_forward", "completed")
    for number in (1, 2, 3):
        assert path.with_name(f"automark.sqlite.corrupt-{number}").read_text() == f"damaged {number}"


def test_an_empty_file_is_begun(progress, path):
    path.touch()
    assert set(progress.statuses("s1").values()) == {"not attempted"}
    progress.record("s1", "relu_forward", "completed")
    assert progress.statuses("s1")["relu_forward"] == "completed"


@pytest.mark.filterwarnings("ignore:progress")
@pytest.mark.parametrize("how", ["text", "half", "overwritten"])
def test_several_that_find_a_damaged_file_at_once_lose_nothing(tmp_path, how):
    for number in range(8):
        path = tmp_path / str(number) / "automark.sqlite"
        path.parent.mkdir()
        content = damage(path, how)
        start, failures = threading.Barrier(4), []

        def run(i, path=path, start=start, failures=failures):
            start.wait()
            try:
                Progress(path, patience=60).record(f"s{i}", "relu_forward", "completed")
            except ProgressError as error:
                failures.append((i, error))

        threads = [threading.Thread(target=run, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures
        assert path.with_name("automark.sqlite.corrupt-1").read_bytes() == content
        assert not path.with_name("automark.sqlite.corrupt-2").exists()
        for i in range(4):
            assert Progress(path).statuses(f"s{i}")["relu_forward"] == "completed"


def test_a_file_that_is_damaged_and_locked_is_left_alone(path):
    content = damage(path, "overwritten")
    progress = Progress(path, patience=0.01)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT * FROM sqlite_master").fetchall()  # reads, so that nobody may write everything anew
        with pytest.raises(ProgressError, match="locked"):
            progress.statuses("s1")
    assert path.read_bytes() == content
    assert not path.with_name("automark.sqlite.corrupt-1").exists()


def test_a_damaged_file_that_cannot_be_set_aside_stays(progress, path, monkeypatch):
    content = damage(path, "text")

    def refuse(self, target):
        raise PermissionError(13, "no")

    monkeypatch.setattr(module.Path, "rename", refuse)
    with pytest.raises(ProgressError, match="could not write"):
        progress.record("s1", "relu_forward", "completed")
    assert path.read_bytes() == content
