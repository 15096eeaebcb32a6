"""Recording is off where `no_grad` says so and nowhere else: blocks, resumed functions, threads, tasks, forks."""

import asyncio
import contextlib
import gc
import inspect
import os
import subprocess
import sys
import threading
import weakref

import pytest

import tinygrad_np as tg
from tinygrad_np.modes import is_recording


class Stopped(Exception):
    """Thrown in."""


# --- generators -------------------------------------------------------------------------------------------------------


def test_a_generator_is_silent_while_it_runs_and_its_caller_never():
    @tg.no_grad()
    def counting(n):
        for i in range(n):
            assert not is_recording()
            yield i
        return "done"

    found = []

    def delegating():
        found.append((yield from counting(3)))

    seen = []
    for i in delegating():
        assert is_recording()
        seen.append(i)
    assert (seen, found) == ([0, 1, 2], ["done"])
    assert inspect.isgeneratorfunction(counting)
    assert counting.__name__ == "counting"


def test_what_is_sent_and_thrown_arrives():
    @tg.no_grad()
    def echo():
        given, modes = None, []
        while True:
            try:
                modes.append(is_recording())
                given = yield given
                if given == "end":
                    return modes
            except Stopped as error:
                given = f"caught {error}"

    running = echo()
    assert next(running) is None
    assert running.send(5) == 5
    assert running.throw(Stopped("it")) == "caught it"
    assert is_recording()
    with pytest.raises(StopIteration) as stop:
        running.send("end")
    assert stop.value.value == [False] * 3
    with pytest.raises(StopIteration):
        next(running)


def test_an_error_of_the_generator_restores_the_mode_and_is_the_callers():
    @tg.no_grad()
    def failing():
        yield
        raise Stopped

    running = failing()
    next(running)
    with pytest.raises(Stopped):
        next(running)
    with pytest.raises(KeyError):
        failing().throw(KeyError("not begun"))
    assert is_recording()


def test_a_generator_is_closed_without_recording():
    closed = []

    @tg.no_grad()
    def generator():
        try:
            yield
        finally:
            closed.append(is_recording())

    running = generator()
    next(running)
    running.close()
    running = generator()
    next(running)
    del running  # which closes it
    assert closed == [False, False]
    assert is_recording()


def test_a_generator_that_will_not_close_is_pythons_error():
    @tg.no_grad()
    def stubborn():
        with contextlib.suppress(GeneratorExit):
            yield 1
        yield 2

    running = stubborn()
    next(running)
    with pytest.raises(RuntimeError, match="ignored GeneratorExit"):
        running.close()
    assert list(running) == []


@pytest.mark.skipif(sys.version_info < (3, 13), reason="close() returns nothing")
def test_what_a_closed_generator_returns():
    @tg.no_grad()
    def generator():
        with contextlib.suppress(GeneratorExit):
            yield
        return "late"

    running = generator()
    next(running)
    assert running.close() == "late"


def test_steps_of_two_generators_and_modes_between_them_do_not_mix():
    @tg.no_grad()
    def silent():
        for _ in range(3):
            yield is_recording()

    def usual():
        for _ in range(3):
            yield is_recording()

    assert list(zip(silent(), usual(), silent(), strict=True)) == [(False, True, False)] * 3
    with tg.no_grad():
        assert list(usual()) == [False] * 3
        running = silent()
        next(running)
    assert list(running) == [False] * 2
    assert is_recording()


def test_an_error_that_was_thrown_in_is_held_by_nothing():
    @tg.no_grad()
    def generator():
        yield

    def thrown_into(running):
        error = Stopped()
        try:
            running.throw(error)
        except Stopped:
            return weakref.ref(error)
        finally:
            del error

    gc.disable()
    try:
        running = generator()
        next(running)
        assert thrown_into(running)() is None
    finally:
        gc.enable()


def test_a_context_manager_and_a_method_may_be_decorated():
    class Model:
        @contextlib.contextmanager
        @tg.no_grad()
        def evaluating(self):
            modes.append(is_recording())
            yield self
            modes.append(is_recording())

        @tg.no_grad()
        def outputs(self):
            yield is_recording()

    modes, model = [], Model()
    with model.evaluating() as given:
        assert given is model
        assert is_recording()
    assert modes == [False, False]
    assert list(model.outputs()) == [False]


def test_a_block_across_a_yield_acts_on_the_caller():
    def generator():
        with tg.no_grad():
            yield

    running = generator()
    next(running)
    assert not is_recording()
    running.close()
    assert is_recording()


# --- coroutines -------------------------------------------------------------------------------------------------------


def test_a_coroutine_is_silent_and_other_tasks_are_not():
    @tg.no_grad()
    async def silent():
        modes = []
        for _ in range(3):
            modes.append(is_recording())
            await asyncio.sleep(0)
        return modes

    async def usual():
        modes = []
        for _ in range(3):
            modes.append(is_recording())
            await asyncio.sleep(0)
        return modes

    async def main():
        both = await asyncio.gather(silent(), usual(), silent())
        return both, await silent(), is_recording()

    assert asyncio.run(main()) == ([[False] * 3, [True] * 3, [False] * 3], [False] * 3, True)
    assert inspect.iscoroutinefunction(silent)


def test_the_loop_sees_its_own_mode_while_a_coroutine_waits():
    @tg.no_grad()
    async def waiting(future):
        return await future, is_recording()

    running = waiting(loop := asyncio.new_event_loop().create_future())
    assert running.send(None) is loop
    assert is_recording()
    loop.set_result(7)
    with pytest.raises(StopIteration) as stop:
        running.send(None)
    assert stop.value.value == (7, False)
    assert is_recording()
    loop.get_loop().close()


def test_cancelling_and_errors_reach_a_coroutine():
    modes = []

    @tg.no_grad()
    async def long():
        try:
            await asyncio.sleep(100)
        finally:
            modes.append(is_recording())
            await asyncio.sleep(0)
            modes.append(is_recording())

    @tg.no_grad()
    async def failing():
        await asyncio.sleep(0)
        raise Stopped

    async def main():
        task = asyncio.create_task(long())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(Stopped):
            await failing()
        assert is_recording()

    asyncio.run(main())
    assert modes == [False, False]


def test_a_coroutine_that_is_closed():
    modes = []

    @tg.no_grad()
    async def waiting():
        try:
            await asyncio.sleep(100)
        finally:
            modes.append(is_recording())

    async def main():
        running = waiting()
        running.send(None)
        running.close()

    asyncio.run(main())
    assert modes == [False]


# --- asynchronous generators ------------------------------------------------------------------------------------------


def test_an_asynchronous_generator_is_silent_while_it_runs():
    @tg.no_grad()
    async def counting(n):
        for i in range(n):
            assert not is_recording()
            await asyncio.sleep(0)
            assert not is_recording()
            yield i

    async def main():
        seen = []
        async for i in counting(3):
            assert is_recording()
            seen.append(i)
        return seen

    assert asyncio.run(main()) == [0, 1, 2]
    assert inspect.isasyncgenfunction(counting)


def test_what_is_sent_and_thrown_into_an_asynchronous_generator_arrives():
    closed = []

    @tg.no_grad()
    async def echo():
        given = None
        try:
            while True:
                try:
                    given = yield given, is_recording()
                    await asyncio.sleep(0)
                except Stopped as error:
                    given = f"caught {error}"
        finally:
            await asyncio.sleep(0)
            closed.append(is_recording())

    async def main():
        running = echo()
        assert await anext(running) == (None, False)
        assert await running.asend(5) == (5, False)
        assert await running.athrow(Stopped("it")) == ("caught it", False)
        await running.aclose()
        assert closed == [False]
        running = echo()
        await anext(running)
        with pytest.raises(KeyError):
            await running.athrow(KeyError)
        with pytest.raises(StopAsyncIteration):
            await anext(running)
        assert is_recording()

    asyncio.run(main())
    assert closed == [False, False]


def test_an_asynchronous_generator_left_open_is_closed_by_its_loop():
    closed = []

    @tg.no_grad()
    async def generator():
        try:
            yield
        finally:
            closed.append(is_recording())

    async def main():
        async for _ in generator():
            break

    asyncio.run(main())
    gc.collect()
    assert closed == [False]


# --- threads, tasks, processes ----------------------------------------------------------------------------------------


def test_a_new_thread_records_and_keeps_its_mode_to_itself():
    modes, inside, leave = [], threading.Event(), threading.Event()

    def other():
        modes.append(is_recording())
        with tg.no_grad():
            inside.set()
            leave.wait(10)
            modes.append(is_recording())
        modes.append(is_recording())

    with tg.no_grad():
        thread = threading.Thread(target=other)
        thread.start()
        inside.wait(10)
    assert is_recording()  # though the other thread is inside
    leave.set()
    thread.join()
    if getattr(sys.flags, "thread_inherit_context", 0):  # free-threaded Pythons: a thread begins as a task does
        modes[0] = modes[2] = True
    assert modes == [True, False, True]


def test_a_task_begins_with_a_copy_of_its_creators_mode():
    async def child():
        mode = is_recording()
        with tg.no_grad():
            await asyncio.sleep(0)
        return mode, is_recording()

    async def main():
        with tg.no_grad():
            silent = asyncio.create_task(child())
        return await asyncio.gather(silent, child()), is_recording()

    assert asyncio.run(main()) == ([(False, False), (True, True)], True)


FORK = """
import os, sys
import tinygrad_np as tg
w = tg.tensor(1.0, requires_grad=True)
def child():
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    recording = (w * 2).requires_grad
    with tg.no_grad():
        recording += 2 * (w * 2).requires_grad
    os._exit(recording)
with tg.no_grad():
    silent = child()
print(silent, child(), (w * 2).requires_grad)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_begins_with_a_copy_of_the_mode():
    out = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["0", "1", "True"]
