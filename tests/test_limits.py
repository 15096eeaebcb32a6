"""A call that takes too long is ended, what it gives in time is passed through, and nothing comes afterwards."""

import asyncio
import contextlib
import itertools
import subprocess
import sys
import threading
import time
import traceback
import warnings

import pytest

from tinygrad_np.automark import limits
from tinygrad_np.automark.limits import TimeLimit, limited
from tinygrad_np.errors import RangeError, TinygradError

SHORT = 0.02  # seconds after which an endless call is ended


@pytest.fixture(autouse=True)
def _nothing_is_left_behind():
    before = set(threading.enumerate())
    yield
    steps()
    for thread in set(threading.enumerate()) - before:
        thread.join(30)
        assert not thread.is_alive(), thread


def steps():
    """Where an exception that was on its way would come."""
    for _ in range(2000):
        len("")


def endless():
    while True:
        pass


def endless_in_calls():
    def double(n):
        return 2 * n

    for n in itertools.count():
        double(n % 7)


def endless_while_excepting():
    while True:
        try:
            [][0]
        except Exception:
            continue


def endless_in_a_comprehension():
    return [n for n in itertools.count() if n < 0]


def endless_in_a_generator():
    def numbers():
        while True:
            yield 0

    return sum(numbers())


def endless_by_turns():
    def there(depth):
        return back(0) if depth > 50 else there(depth + 1)

    def back(depth):
        while True:
            depth += 1

    return there(0)


ENDLESS = [
    *(endless, endless_in_calls, endless_while_excepting, endless_in_a_comprehension),
    *(endless_in_a_generator, endless_by_turns),
]


# --- what is ended ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", ENDLESS)
def test_endless_loops_are_ended(call):
    with pytest.raises(TimeLimit, match=r"within 0\.02 seconds"):
        limited(call, SHORT)


@pytest.mark.parametrize("call", ENDLESS)
def test_in_a_worker_thread_too(call):
    found = in_thread(lambda: limited(call, SHORT))
    assert isinstance(found, TimeLimit)


def in_thread(call):
    """What a call returns or raises in a thread of its own."""
    found = []

    def run():
        try:
            found.append(call())
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return found[0]


def test_several_threads_are_ended_each_in_its_own_time():
    found = [None] * 6

    def run(i):
        try:
            found[i] = limited(endless if i % 2 else lambda: i, SHORT * (1 + i) if i % 2 else 60)
        except TimeLimit as error:
            found[i] = error
        steps()

    threads = [threading.Thread(target=run, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[::2] == [0, 2, 4]
    assert all(isinstance(error, TimeLimit) for error in found[1::2])


def test_under_a_running_event_loop_as_in_a_notebook():
    async def cell():
        with pytest.raises(TimeLimit):
            limited(endless, SHORT)
        await asyncio.sleep(0)
        return "the next cell"

    assert asyncio.run(cell()) == "the next cell"


def test_except_exception_does_not_see_it():
    caught = []

    def careful():
        try:
            endless()
        except Exception:
            caught.append(1)

    with pytest.raises(TimeLimit):
        limited(careful, SHORT)
    assert not caught


def test_a_bare_except_is_ended_by_a_later_attempt():
    caught = []

    def stubborn():
        while len(caught) < 3:
            try:
                endless()
            except:  # noqa: E722 (what it is about)
                caught.append(1)
        endless()

    with pytest.raises(TimeLimit):
        limited(stubborn, SHORT)
    assert len(caught) == 3


def test_a_loop_that_catches_all_there_is_in_its_body():
    def body(n):
        return n + 1

    def stubborn():
        n = 0
        while True:
            try:
                n = body(n)
            except:  # noqa: E722 (what it is about)
                n = 0

    with pytest.raises(TimeLimit):
        limited(stubborn, SHORT)


def test_what_the_end_is_turned_into_does_not_matter():
    def turned(into):
        try:
            endless()
        except BaseException:
            if into is None:
                return 0
            raise into from None

    for into in (None, ValueError("mine"), SystemExit(1), MemoryError()):
        with pytest.raises(TimeLimit):
            limited(lambda into=into: turned(into), SHORT)


def test_a_call_into_c_is_over_its_limit_once_it_returns():
    with pytest.raises(TimeLimit):
        limited(lambda: time.sleep(5 * SHORT), SHORT)


def test_the_line_where_it_was_is_told():
    with pytest.raises(TimeLimit) as caught:
        limited(endless, SHORT)
    frames = traceback.extract_tb(caught.value.__cause__.__traceback__)
    assert frames[-1].name == "endless"


# --- what is not ------------------------------------------------------------------------------------------------------


def test_results_are_passed_through():
    thing = object()
    assert limited(lambda: thing, 60) is thing
    assert limited(lambda: None, float("inf")) is None


@pytest.mark.parametrize(
    "error", [ValueError("mine"), KeyboardInterrupt(), SystemExit(3), GeneratorExit(), TimeLimit()]
)
def test_exceptions_are_passed_through(error):
    def call():
        raise error

    with pytest.raises(type(error)) as caught:
        limited(call, 60)
    assert caught.value is error
    assert error.__cause__ is None


def test_a_recursion_without_end_is_pythons_own_error():
    def deeper(n):
        return deeper(n + 1)

    with pytest.raises(RecursionError):
        limited(lambda: deeper(0), 60)


def test_ctrl_c_ends_it_as_usual():
    program = (
        "import _thread, signal, threading\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)  # it may have been ignored by who started us\n"
        "from tinygrad_np.automark.limits import limited\n"
        "def endless():\n"
        "    threading.Thread(target=_thread.interrupt_main).start()\n"
        "    while True: pass\n"
        "try:\n"
        "    limited(endless, 600)\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted', threading.active_count())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300)
    assert (done.stdout.split()[:1], done.stderr) == (["interrupted"], "")


# --- at the limit -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("off", [0.0, -1e-4, 1e-4])
def test_a_call_that_ends_just_at_the_limit_is_one_or_the_other_and_nothing_comes_later(off):
    found = set()
    for _ in range(150):
        start = time.perf_counter()

        def call(until=start + 0.002 + off):
            while time.perf_counter() < until:
                pass
            return "done"

        try:
            found.add(limited(call, 0.002))
        except TimeLimit:
            found.add("time limit")
        steps()
    assert found <= {"done", "time limit"}


def test_so_it_is_in_threads_at_once():
    def many():
        found = set()
        for i in range(60):
            try:
                found.add(limited(lambda i=i: sum(range(200 * i)) and 0, 0.001))
            except TimeLimit:
                found.add(1)
            steps()
        return found

    found = [None] * 3

    def run(i):
        found[i] = in_thread(many)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(isinstance(each, set) and each <= {0, 1} for each in found), found


def test_within_a_limit_the_limit_around_holds():
    def inner():
        limited(lambda: time.sleep(0.02), 0.001)  # of no account here
        return limited(endless, 60)

    with pytest.raises(TimeLimit, match=r"0\.1 seconds"):
        limited(inner, 0.1)
    with pytest.raises(TimeLimit, match=r"0\.01 seconds"):  # and is gone with it
        limited(endless, 0.01)


@pytest.mark.parametrize("call", [lambda: 1, lambda: 1 / 0, endless])
def test_its_thread_has_ended_with_it(call):
    before = threading.enumerate()
    with contextlib.suppress(TimeLimit, ZeroDivisionError):
        limited(call, SHORT if call is endless else 60)
    assert threading.enumerate() == before


def test_a_limit_that_is_over_at_once():
    for _ in range(50):
        with pytest.raises(TimeLimit):
            limited(endless, 1e-9)
        steps()


# --- where it cannot be -----------------------------------------------------------------------------------------------


def test_without_cpython_nothing_is_limited(monkeypatch):
    monkeypatch.setitem(sys.modules, "ctypes", None)
    assert limited(lambda: time.sleep(2 * SHORT), SHORT) is None


def test_without_threads_nothing_is_limited(monkeypatch):
    def no_thread(*_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(limits._thread, "start_new_thread", no_thread)
    assert limited(lambda: time.sleep(2 * SHORT), SHORT) is None


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_a_limit_is_a_number_above_0(seconds):
    with pytest.raises(RangeError, match="above 0"):
        limited(lambda: None, seconds)


def test_the_error_is_ours_and_pythons():
    assert issubclass(TimeLimit, TinygradError)
    assert issubclass(TimeLimit, TimeoutError)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert limited(lambda: 1, 1) == 1
