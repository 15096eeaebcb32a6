"""Random programs: what the tape says of them is what differences say."""

import numpy as np
import pytest
from hypothesis import assume, event, given, settings

import tinygrad_np as tg
from tinygrad_np import verify
from tinygrad_np.strategies import Program, Step, programs
from tinygrad_np.strategies.programs import OPERATIONS
from tinygrad_np.verify.checks import compare
from tinygrad_np.verify.differences import Verdict
from tinygrad_np.verify.subjects import derivative, of_tensors, variant

MANY = settings(max_examples=12 * settings.default.max_examples)  # 300 every day, 12,000 for a night
ONE = np.ones(())


def subject_of(program):
    names = tuple(f"leaf {i}" for i in range(len(program.shapes)))
    return of_tensors("program", program, names, range(len(names)))


def agrees(subject, leaves, gradients, seed):
    """What differences say along a random direction in each leaf; whether all could be compared."""
    rng = np.random.default_rng(seed)
    verdicts = set()
    for i, (leaf, gradient) in enumerate(zip(leaves, gradients, strict=True)):
        if leaf.size:
            v = rng.normal(size=leaf.shape)
            verdicts.add(compare(subject, leaves, i, ONE, v, gradient).verdict)
    assert Verdict.WRONG not in verdicts
    return bool(verdicts) and verdicts <= {Verdict.RIGHT}


def check(program):
    """Raises where a gradient is wrong; whether it was compared with differences."""
    leaves = program.leaves()
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
    return agrees(subject_of(program), leaves, [g.numpy() for g in gradients], program.seed)


def test_gradients_of_random_programs_agree_with_differences():
    """And most are really compared."""
    compared = []

    @MANY
    @given(programs())
    def run(program):
        compared.append(check(program))
        event("compared" if compared[-1] else "at a kink, or constant")

    run()
    assert np.mean(compared) > 0.9


@given(programs(most=12))
def test_second_derivatives_of_random_programs_agree_with_differences(program):
    leaves = program.leaves()
    rng = np.random.default_rng(program.seed)
    mixes = [rng.normal(size=a.shape) for a in leaves]
    subject, _ = derivative(subject_of(program), program, range(len(leaves)), ONE, mixes)
    assume(np.isfinite(subject.value(*leaves)))
    event("compared" if agrees(subject, leaves, subject.pull(ONE, *leaves), program.seed) else "at a kink, or constant")


def test_a_wrong_rule_is_found(monkeypatch):
    """The programs can fail: here sin has a rule that is wrong by one part in a thousand."""
    program = Program(((2,),), (Step("sin", (0,)), Step("cos", (1,))), 0)
    assert check(program)
    monkeypatch.setitem(OPERATIONS, "sin", variant(tg.sin, {"x": lambda g, x: 1.001 * g * tg.cos(x)}))
    with pytest.raises(AssertionError):
        check(program)
    with pytest.raises(verify.GradientMismatch):
        verify.check_grads(program, *program.leaves(), order=1)
