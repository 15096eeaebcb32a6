"""Random programs: what the tape says of them is what differences say."""

import numpy as np
import pytest
from hypothesis import assume, event, given, settings

import tinygrad_np as tg
from tests.checker import slope
from tests.programs import Program, Step, programs
from tests.test_registry import without_kernel

MANY = settings(max_examples=12 * settings.default.max_examples)  # 300 every day, 12,000 for a night


def numeric(program, leaves, directions):
    """The slope along the directions; None where a kink is near, so that two steps tell two slopes."""

    def moved(h):
        return float(program(*(a + h * d for a, d in zip(leaves, directions, strict=True))))

    coarse, fine = slope(moved, 2e-3), slope(moved, 5e-4)
    return fine if abs(coarse - fine) <= 1e-6 * (1 + abs(fine)) else None


def check(program):
    leaves = program.leaves()
    rng = np.random.default_rng(program.seed)
    tensors = [tg.tensor(a, requires_grad=True) for a in leaves]
    loss = program(*tensors)
    if not (isinstance(loss, tg.Tensor) and loss.requires_grad and np.isfinite(loss.item())):
        return False
    gradients = tg.grad(loss, tensors)
    recorded = tg.grad(loss, tensors, create_graph=True)
    loss.backward()
    for tensor, gradient, twin in zip(tensors, gradients, recorded, strict=True):
        assert gradient.shape == tensor.shape
        scale = np.abs(gradient.numpy()).max(initial=1e-3)
        np.testing.assert_allclose(twin.numpy(), gradient.numpy(), rtol=1e-9, atol=1e-12 * scale)
        got = np.zeros(tensor.shape) if tensor.grad is None else tensor.grad
        np.testing.assert_allclose(got, gradient.numpy(), rtol=1e-9, atol=1e-12 * scale)
    directions = [rng.normal(size=a.shape) for a in leaves]
    terms = [g.numpy() * d for g, d in zip(gradients, directions, strict=True)]
    expected = numeric(program, leaves, directions)
    size = sum(np.abs(t).sum() for t in terms)
    if expected is not None:
        assert abs(sum(t.sum() for t in terms) - expected) <= 1e-5 * (1e-3 + size), (terms, expected)
    return expected is not None


@MANY
@given(programs())
def test_gradients_of_random_programs_agree_with_differences(program):
    event("compared" if check(program) else "at a kink, or constant")


@given(programs(most=12))
def test_second_derivatives_of_random_programs_agree_with_differences(program):
    leaves = program.leaves()
    rng = np.random.default_rng(program.seed)
    mixes = [rng.normal(size=a.shape) for a in leaves]

    def mixed(*given):
        tensors = [a if isinstance(a, tg.Tensor) else tg.tensor(a, requires_grad=True) for a in given]
        loss = program(*tensors)
        assume(isinstance(loss, tg.Tensor) and loss.requires_grad)
        parts = tg.grad(loss, tensors, create_graph=True)
        return sum(((p * m).sum() for p, m in zip(parts, mixes, strict=True)), tg.tensor(0.0))

    tensors = [tg.tensor(a, requires_grad=True) for a in leaves]
    total = mixed(*tensors)
    assume(total.requires_grad and np.isfinite(total.item()))
    gradients = tg.grad(total, tensors)
    directions = [rng.normal(size=a.shape) for a in leaves]
    terms = [g.numpy() * d for g, d in zip(gradients, directions, strict=True)]
    expected = numeric(lambda *arrays: mixed(*arrays).item(), leaves, directions)
    assume(expected is not None)
    assert abs(sum(t.sum() for t in terms) - expected) <= 1e-4 * (1e-2 + sum(np.abs(t).sum() for t in terms))


def test_a_wrong_rule_is_found(monkeypatch):
    """The programs can fail: here sin has a rule that is wrong by one part in a thousand."""
    program = Program(((2,),), (Step("sin", (0,)), Step("cos", (1,))), 0)
    assert check(program)
    without_kernel(monkeypatch, tg.sin)
    monkeypatch.setitem(tg.sin.rules, "x", lambda g, x: 1.001 * g * tg.cos(x))
    with pytest.raises(AssertionError):
        check(program)
