"""What a profile and a tape's memory say is what happened, and looking costs nothing once it is over."""

import gc
import json
import threading
import tracemalloc

import numpy as np
import pytest

import tinygrad_np as tg
from tinygrad_np import nn, optim
from tinygrad_np.primitives import registry


def parameter(*shape):
    return tg.tensor(np.linspace(-1, 1, int(np.prod(shape))).reshape(shape), requires_grad=True)


def by_op(profile):
    return {row.op: row for row in profile.rows}


def test_calls_times_and_bytes_of_a_training_step():
    rng = np.random.default_rng(0)
    model = nn.Sequential(nn.Dense(64, 64, rng=rng), nn.ReLU(), nn.Dense(64, 10, rng=rng))
    x, labels, sgd = rng.normal(size=(500, 64)), rng.integers(10, size=500), optim.SGD(model.parameters())
    with tg.profile() as profile:
        for _ in range(3):
            sgd.zero_grad()
            tg.cross_entropy(model(x), labels).backward()
            sgd.step()
    rows = by_op(profile)
    assert {(row.op, row.calls, row.backward_calls) for row in profile.rows} == {
        ("dense_relu", 3, 3),
        ("dense", 3, 3),
        ("cross_entropy", 3, 3),
    }
    assert all(row.forward > 0 and row.backward > 0 for row in profile.rows)
    assert sum(row.forward + row.backward for row in profile.rows) < profile.seconds
    assert rows["dense_relu"].kept == 3 * 2 * 500 * 64 * 8  # x and the result
    assert rows["dense_relu"].allocated + rows["dense_relu"].lent == 3 * (500 * 64 + 64 * 64 + 64) * 8
    assert rows["dense_relu"].lent == 3 * 500 * 64 * 8
    found = json.loads(profile.to_json())
    assert found["seconds"] == profile.seconds
    assert [row["op"] for row in found["rows"]] == [row.op for row in profile.rows]
    lines = str(profile).split("\n")
    assert lines[0].split() == ["op", "calls", "forward", "backward", "share", "allocated", "lent", "kept"]
    assert len(lines) == 5
    assert lines[-1].endswith("ms of it in primitives")


def test_nothing_is_measured_or_slower_outside():
    before = {primitive: primitive.compiled() for primitive in registry.values()}
    w = parameter(3)
    with tg.profile() as profile:
        loss = (w * w).sum()
        assert any(primitive.call is not call for primitive, call in before.items())
    assert all(primitive.call is call for primitive, call in before.items())
    (w * w).sum().backward()
    loss.backward()  # recorded inside, walked outside
    assert {(row.op, row.calls, row.backward_calls) for row in profile.rows} == {("multiply", 1, 0), ("sum", 1, 0)}
    np.testing.assert_array_equal(w.grad, 4 * w.numpy())


def test_it_ends_with_an_exception_too():
    before, profile = tg.exp.compiled(), tg.profile()

    def fail():
        with profile:
            tg.exp(parameter(2))
            parameter(2) + np.ones(3)

    with pytest.raises(tg.errors.ShapeError):
        fail()
    assert tg.exp.call is before
    assert by_op(profile)["exp"].calls == 1
    assert "add" not in by_op(profile)


def test_what_a_primitive_calls_counts_as_its_own():
    x = parameter(1, 1, 4, 4)
    with tg.profile() as profile:
        tg.grad(tg.max_pool2d(x).sum(), x)
    assert {row.op for row in profile.rows} == {"max_pool2d", "sum"}  # and not keep_where, transpose, reshape


def test_gradients_of_gradients_sequences_and_parts_are_measured():
    x, y = parameter(3), parameter(3)
    with tg.profile() as profile:
        slope = tg.grad((x**3).sum(), x, create_graph=True)
        tg.grad(slope.sum(), x)
        tg.grad(tg.concatenate([x, y]).sum(), [x, y])
        tg.grad((x * y).sum(), x)
    rows = by_op(profile)
    assert rows["power"].backward_calls >= 2
    assert rows["concatenate"].backward_calls == 1
    assert rows["multiply"].backward_calls >= 1


def test_profiles_in_profiles_and_threads():
    x = parameter(3)
    with tg.profile() as outer:
        tg.exp(x)
        with tg.profile() as inner:
            threads = [threading.Thread(target=lambda: [tg.exp(x) for _ in range(50)]) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    assert by_op(inner)["exp"].calls == 200
    assert by_op(outer)["exp"].calls == 201


def test_a_profile_can_be_entered_again():
    profile = tg.profile()
    for _ in range(2):
        with profile:
            tg.exp(parameter(3))
    assert by_op(profile)["exp"].calls == 2


def test_views_are_not_allocated():
    with tg.profile() as profile:
        parameter(3, 2).T.reshape((2, 3))
    assert by_op(profile)["transpose"].allocated == by_op(profile)["transpose"].lent == 0


# --- memory of a tape -------------------------------------------------------------------------------------------------


def test_shared_memory_is_counted_once():
    x = parameter(5)
    y = x * x
    memory = tg.tape((y * y).sum()).memory()
    assert [(line.op, line.keeps, line.adds) for line in memory] == [
        ("leaf", 0, 0),
        ("multiply", 40, 40),
        ("multiply", 40, 40),
        ("sum", 0, 0),
    ]
    assert memory.total == 80
    assert str(memory).endswith("80 B in all")
    assert json.loads(memory.to_json())["total"] == 80
    assert json.loads(memory.to_json())["lines"][1]["inputs"] == [0, 0]


def test_a_view_keeps_all_of_its_memory():
    x = parameter(100, 10)
    line = (x * 1.0)[:2]
    assert tg.tape((line * line).sum()).memory().total == 8000


def numpy_bytes():
    gc.collect()
    snapshot = tracemalloc.take_snapshot()
    arrays = snapshot.filter_traces([tracemalloc.DomainFilter(True, np.lib.tracemalloc_domain)])
    return sum(trace.size for trace in arrays.traces)


@pytest.mark.parametrize("n", [3000, 500], ids=["lent", "allocated"])
def test_the_total_is_what_goes_with_the_tape(n):
    rng = np.random.default_rng(0)
    model = nn.Sequential(nn.Dense(8, 8, rng=rng), nn.ReLU(), nn.Dense(8, 4, rng=rng))
    tracemalloc.start()
    try:
        x, true = tg.tensor(rng.normal(size=(n, 8))), tg.tensor(rng.choice([-1.0, 1.0], (n, 4)))
        loss = tg.hinge(model(x), true)
        total = tg.tape(loss).memory().total
        del x, true  # now only the tape keeps them
        before = numpy_bytes()
        del loss
        model[0].W._node.pool.buffers.clear()  # as they would be lent again, buffers stay with the model
        gone = before - numpy_bytes()
    finally:
        tracemalloc.stop()
    assert total - gone == model[2].W.nbytes - 8  # the second layer's rules keep its weights, which stay; the loss goes
