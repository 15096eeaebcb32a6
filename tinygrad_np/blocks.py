"""The course's functions and classes by their own names: a thin face over the primitives, on plain arrays, no tape.

It stands in for the course's ``Blocks.py``::

    from tinygrad_np.blocks import *

Every function calls the forward or a rule of a registered primitive on the arrays that it is given, so that what a
student is marked by and what trains a network are one formula. Arrays of any real dtype come in, integers too; plain
arrays (a loss: a NumPy float) go out; no input is changed. Lists of numbers will do, and small integers do not wrap
around. Shapes that do not fit raise `ShapeError`.

The layers are the course's too: `backward` gets the input again, parameters are arrays that `SGD` writes into, and
`Dense` draws its weights from NumPy's global generator, so that a run after ``np.random.seed`` gives the course's
numbers.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_np import ops
from tinygrad_np.errors import RangeError, ShapeError
from tinygrad_np.ops.losses import rows
from tinygrad_np.primitives import Primitive
from tinygrad_np.values import Array

__all__ = [
    "MSE",
    "SGD",
    "ConvLayer",
    "Dense",
    "Dropout",
    "FlattenLayer",
    "Hinge",
    "Layer",
    "Loss",
    "MaxPool2x2",
    "Optimizer",
    "ReLU",
    "SequentialNN",
    "box_blur",
    "conv_matrix",
    "dense_forward",
    "dense_grad_W",
    "dense_grad_b",
    "dense_grad_input",
    "dropout_forward",
    "dropout_generate_mask",
    "dropout_grad_input",
    "flatten_forward",
    "flatten_grad_input",
    "hinge_forward",
    "hinge_grad_input",
    "l2_regularizer",
    "maxpool_forward",
    "maxpool_grad_input",
    "mse_forward",
    "mse_grad_input",
    "relu_forward",
    "relu_grad_input",
]


def _rule(primitive: Primitive, argument: str, **values: Any) -> Any:
    """What the primitive's rule for an argument makes of these values, ``g`` among them."""
    rule = primitive.rules[argument]
    assert rule is not None
    return rule(**values)


def _array(values: Any) -> Array:
    """An array of these values, whose products do not wrap around: small integers as int64."""
    array = np.asarray(values)
    return array.astype(np.int64) if array.dtype.kind in "biu" and array.dtype.itemsize < 8 else array


def _dense_arrays(function: str, x_input: Any, W: Any, b: Any) -> tuple[Array, Array, Array]:
    x, w, bias = _array(x_input), _array(W), _array(b)
    if x.ndim != 2 or bias.ndim != 1 or w.shape != (x.shape[1], len(bias)):
        raise ShapeError(
            f"{function}: expected x_input (n_objects, n_in), W (n_in, n_out) and b (n_out,); got {x.shape}, {w.shape} "
            f"and {bias.shape}"
        )
    return x, w, bias


def _mask(function: str, x: Array, mask: Any) -> Array:
    if np.shape(mask) not in ((), x.shape):
        raise ShapeError(f"{function}: expected a mask of x_input's shape {x.shape}, got {np.shape(mask)}")
    return _array(mask)


def _gradient(function: str, grad_output: Any, shape: tuple[int, ...]) -> Array:
    g = _array(grad_output)
    if g.shape != shape:
        raise ShapeError(f"{function}: expected grad_output of the output's shape {shape}, got {g.shape}")
    return g


# --- dense ----------------------------------------------------------------------------------------------------------


def dense_forward(x_input: Array, W: Array, b: Array) -> Any:
    """``x_input @ W + b``: (n_objects, n_in) to (n_objects, n_out).

    Examples
    --------
    >>> dense_forward(np.array([[1, -1], [-1, 0], [1, 1]]), np.array([[4], [2]]), np.array([3]))
    array([[ 5],
           [-1],
           [ 9]])
    """
    return ops.dense.forward(*_dense_arrays("dense_forward", x_input, W, b))


def dense_grad_input(x_input: Array, grad_output: Array, W: Array, b: Array) -> Any:
    """The gradient by `x_input`, (n_objects, n_in), from that by the output, (n_objects, n_out).

    Examples
    --------
    >>> dense_grad_input(np.ones((1, 2)), np.array([[1.0]]), np.array([[4.0], [2.0]]), np.zeros(1))
    array([[4., 2.]])
    """
    x, w, bias = _dense_arrays("dense_grad_input", x_input, W, b)
    return _rule(ops.dense, "x", g=_gradient("dense_grad_input", grad_output, (len(x), len(bias))), w=w)


def dense_grad_W(x_input: Array, grad_output: Array, W: Array, b: Array) -> Any:
    """The gradient by `W`, (n_in, n_out), from that by the output, (n_objects, n_out).

    Examples
    --------
    >>> dense_grad_W(np.array([[1.0, 2.0]]), np.array([[3.0]]), np.ones((2, 1)), np.zeros(1))
    array([[3.],
           [6.]])
    """
    x, _, bias = _dense_arrays("dense_grad_W", x_input, W, b)
    return _rule(ops.dense, "w", g=_gradient("dense_grad_W", grad_output, (len(x), len(bias))), x=x)


def dense_grad_b(x_input: Array, grad_output: Array, W: Array, b: Array) -> Any:
    """The gradient by `b`, (n_out,), from that by the output, (n_objects, n_out).

    Examples
    --------
    >>> dense_grad_b(np.ones((2, 2)), np.array([[1.0], [2.0]]), np.ones((2, 1)), np.zeros(1))
    array([3.])
    """
    x, _, bias = _dense_arrays("dense_grad_b", x_input, W, b)
    return _rule(ops.dense, "b", g=_gradient("dense_grad_b", grad_output, (len(x), len(bias))))


# --- relu -----------------------------------------------------------------------------------------------------------


def relu_forward(x_input: Array) -> Any:
    """``max(0, x_input)``, of any shape.

    Examples
    --------
    >>> relu_forward(np.array([[1, -0.5], [0.3, 0.1]]))
    array([[1. , 0. ],
           [0.3, 0.1]])
    """
    return ops.relu.forward(_array(x_input))


def relu_grad_input(x_input: Array, grad_output: Array) -> Any:
    """`grad_output` where ``x_input > 0``, else 0.

    Examples
    --------
    >>> relu_grad_input(np.array([[1.0, -0.5, 0.0]]), np.array([[2.0, 3.0, 4.0]]))
    array([[2., 0., 0.]])
    """
    x = _array(x_input)
    return _rule(ops.relu, "x", g=_gradient("relu_grad_input", grad_output, x.shape), x=x)


# --- losses ---------------------------------------------------------------------------------------------------------


def _pair(function: str, target_pred: Any, target_true: Any) -> tuple[Array, Array]:
    pred, true = _array(target_pred), _array(target_true)
    rows(function, pred, true, "target_pred and target_true")
    return pred, true


def hinge_forward(target_pred: Array, target_true: Array) -> Any:
    """``sum(max(0, 1 - target_pred * target_true)) / n`` for n rows of one shape (n,) or (n, k).

    Examples
    --------
    >>> float(hinge_forward(np.array([2, -5, 3, 0.5]), np.array([-1, -1, 1, 1])))
    0.875
    """
    return ops.hinge.forward(*_pair("hinge_forward", target_pred, target_true))


def hinge_grad_input(target_pred: Array, target_true: Array) -> Any:
    """``-target_true / n`` where ``1 - target_pred * target_true > 0``, else 0.

    Examples
    --------
    >>> hinge_grad_input(np.array([2, -5, 3, 0.5]), np.array([-1, -1, 1, 1]))
    array([ 0.25,  0.  ,  0.  , -0.25])
    """
    pred, true = _pair("hinge_grad_input", target_pred, target_true)
    return _rule(ops.hinge, "pred", g=1.0, pred=pred, true=true)


def mse_forward(target_pred: Array, target_true: Array) -> Any:
    """``sum((target_pred - target_true) ** 2) / (2 * n)`` for n rows of one shape (n,) or (n, k).

    Examples
    --------
    >>> float(mse_forward(np.array([1.0, 2.0]), np.array([1.0, 4.0])))
    1.0
    """
    return ops.mse.forward(*_pair("mse_forward", target_pred, target_true))


def mse_grad_input(target_pred: Array, target_true: Array) -> Any:
    """``(target_pred - target_true) / n``.

    Examples
    --------
    >>> mse_grad_input(np.array([1.0, 2.0]), np.array([1.0, 4.0]))
    array([ 0., -1.])
    """
    pred, true = _pair("mse_grad_input", target_pred, target_true)
    return _rule(ops.mse, "pred", g=1.0, pred=pred, true=true)


def l2_regularizer(weight_decay: float, weights: Any) -> Any:
    """``weight_decay / 2`` times the sum of squares of all entries of `weights`, a list of arrays or one array.

    Examples
    --------
    >>> float(l2_regularizer(2, np.array([5, 3, 7, 5, 0.5])))
    108.25
    """
    if np.ndim(weight_decay) != 0:
        raise ShapeError(f"l2_regularizer: expected weight_decay to be a number, got shape {np.shape(weight_decay)}")
    several = isinstance(weights, (list, tuple))
    return ops.l2.forward([_array(w) for w in (weights if several else [weights])], weight_decay)


# --- dropout --------------------------------------------------------------------------------------------------------


def dropout_generate_mask(shape: Any, drop_rate: float) -> Array:
    """Zeros with probability `drop_rate` and ones otherwise, drawn from NumPy's global generator.

    Examples
    --------
    >>> np.random.seed(0)
    >>> dropout_generate_mask((2, 3), 0.5)
    array([[1., 1., 1.],
           [1., 0., 1.]])
    """
    if not 0 <= drop_rate <= 1:
        raise RangeError(f"dropout_generate_mask: expected drop_rate in [0, 1], got {drop_rate}")
    mask: Array = np.random.random(shape) >= drop_rate
    return mask.astype(np.float64)


def dropout_forward(x_input: Array, mask: Array, drop_rate: float, training_phase: bool) -> Any:
    """``x_input * mask`` in training, ``x_input * (1 - drop_rate)`` in testing.

    Examples
    --------
    >>> dropout_forward(np.array([[1.0, 2.0]]), np.array([[0, 1]]), 0.5, True)
    array([[0., 2.]])
    >>> dropout_forward(np.array([[1.0, 2.0]]), np.array([[0, 1]]), 0.5, False)
    array([[0.5, 1. ]])
    """
    x = _array(x_input)
    if not training_phase:
        return ops.multiply.forward(x, 1 - drop_rate)
    return ops.dropout_mask.forward(x, _mask("dropout_forward", x, mask))


def dropout_grad_input(x_input: Array, grad_output: Array, mask: Array) -> Any:
    """``grad_output * mask``.

    Examples
    --------
    >>> dropout_grad_input(np.ones((1, 2)), np.array([[3.0, 4.0]]), np.array([[0, 1]]))
    array([[0., 4.]])
    """
    x = _array(x_input)
    g = _gradient("dropout_grad_input", grad_output, x.shape)
    return _rule(ops.dropout_mask, "x", g=g, mask=_mask("dropout_grad_input", x, mask))


# --- images ---------------------------------------------------------------------------------------------------------


def conv_matrix(matrix: Array, kernel: Array) -> Any:
    """Zero-padded cross-correlation of (N, M) with a kernel of odd sides, to (N, M); the kernel may be the larger.

    Examples
    --------
    >>> conv_matrix(np.array([[1, 2, 3], [2, 3, 4], [3, 4, 5]]), np.diag([1, 1, 2]))
    array([[ 7, 10,  3],
           [10, 14,  6],
           [ 3,  6,  8]])
    """
    x, k = _array(matrix), _array(kernel)
    if x.ndim != 2 or k.ndim != 2 or k.shape[0] % 2 == 0 or k.shape[1] % 2 == 0 or x.size == 0:
        raise ShapeError(
            f"conv_matrix: expected a matrix (N, M) and a kernel (2p+1, 2q+1) of odd sides, got {x.shape} and {k.shape}"
        )
    return ops.conv2d.forward(x[None, None], k[None, None])[0, 0]


def box_blur(image: Array, box_size: int) -> Any:
    """The mean of the `box_size` by `box_size` box around each pixel, with zeros outside of the image (N, M).

    Examples
    --------
    >>> box_blur(np.array([[9, 0, 9], [0, 0, 0], [9, 0, 9]]), 3).round(12)
    array([[1., 2., 1.],
           [2., 4., 2.],
           [1., 2., 1.]])
    """
    if not isinstance(box_size, (int, np.integer)) or box_size < 1 or box_size % 2 == 0:
        raise RangeError(f"box_blur: expected box_size to be an odd integer above 0, got {box_size!r}")
    return conv_matrix(image, np.full((box_size, box_size), 1 / box_size**2))


def _even(function: str, x_input: Any) -> Array:
    x = np.asarray(x_input)
    if x.ndim < 2 or x.shape[-1] % 2 or x.shape[-2] % 2:
        raise ShapeError(f"{function}: expected x_input (..., 2W, 2H), with even sides; got {x.shape}")
    return x


def maxpool_forward(x_input: Array) -> Any:
    """The maximum of each 2x2 window: (..., 2W, 2H) to (..., W, H).

    Examples
    --------
    >>> maxpool_forward(np.array([[1, 2, 5, 0], [4, 3, 0, 0]]))
    array([[4, 5]])
    """
    return ops.max_pool2d.forward(_even("maxpool_forward", x_input))[0]


def maxpool_grad_input(x_input: Array, grad_output: Array) -> Any:
    """Each window's gradient at its first maximum in row order, 0 elsewhere.

    Examples
    --------
    >>> maxpool_grad_input(np.array([[1, 2], [2, 0]]), np.array([[7.0]]))
    array([[0., 7.],
           [0., 0.]])
    """
    x = _even("maxpool_grad_input", x_input)
    out, first = ops.max_pool2d.forward(x)
    g = _gradient("maxpool_grad_input", grad_output, out.shape)
    return _rule(ops.max_pool2d, "x", g=g, first=first)


def flatten_forward(x_input: Array) -> Any:
    """(K, L, M, N) to (K, L*M*N), in C order.

    Examples
    --------
    >>> flatten_forward(np.zeros((2, 3, 4, 5))).shape
    (2, 60)
    """
    return ops.flatten.forward(np.asarray(x_input))


def flatten_grad_input(x_input: Array, grad_output: Array) -> Any:
    """`grad_output`, (K, L*M*N), in the shape of `x_input`, (K, L, M, N).

    Examples
    --------
    >>> flatten_grad_input(np.zeros((2, 3, 4, 5)), np.ones((2, 60))).shape
    (2, 3, 4, 5)
    """
    shape = np.shape(x_input)
    g = _gradient("flatten_grad_input", grad_output, (shape[0], math.prod(shape[1:])))
    return _rule(ops.flatten, "x", g=g, x_shape=shape)


# --- layers ---------------------------------------------------------------------------------------------------------


class Layer:
    """The course's layer: what it computes, what it passes back, and its parameters; this one passes all on unchanged.

    Attributes
    ----------
    training_phase : bool
    output : array
        Of the latest `forward`.

    Examples
    --------
    >>> Layer().forward(np.array([1.0, 2.0]))
    array([1., 2.])
    """

    def __init__(self) -> None:
        self.training_phase = True
        self.output: Any = 0.0

    def forward(self, x_input: Array) -> Any:
        """Compute, keep and return the output."""
        self.output = x_input
        return self.output

    def backward(self, x_input: Array, grad_output: Array) -> Any:
        """Return the gradient by the input; set the gradients by the parameters, if there are any."""
        return grad_output

    def get_params(self) -> list[Array]:
        """The parameters themselves, to be written into."""
        return []

    def get_params_gradients(self) -> list[Array]:
        """Their gradients from the latest `backward`, in the same order."""
        return []


class _Weighted(Layer):
    """A layer with weights `W` and a bias `b`."""

    def __init__(self, W: Array, b: Array) -> None:
        super().__init__()
        self.W, self.grad_W = W, np.zeros_like(W)
        self.b, self.grad_b = b, np.zeros_like(b)

    def get_params(self) -> list[Array]:
        return [self.W, self.b]

    def get_params_gradients(self) -> list[Array]:
        return [self.grad_W, self.grad_b]


class Dense(_Weighted):
    """``x @ W + b``, with `W` of shape (n_input, n_output) standard normal, `b` of shape (n_output,) zeros.

    Examples
    --------
    >>> Dense(2, 1).forward(np.ones((3, 2))).shape
    (3, 1)
    """

    def __init__(self, n_input: int, n_output: int) -> None:
        super().__init__(np.random.normal(size=(n_input, n_output)), np.zeros(n_output))

    def forward(self, x_input: Array) -> Any:
        self.output = dense_forward(x_input, self.W, self.b)
        return self.output

    def backward(self, x_input: Array, grad_output: Array) -> Any:
        self.grad_W = dense_grad_W(x_input, grad_output, self.W, self.b)
        self.grad_b = dense_grad_b(x_input, grad_output, self.W, self.b)
        return dense_grad_input(x_input, grad_output, self.W, self.b)


class ReLU(Layer):
    """``max(0, x)``.

    Examples
    --------
    >>> ReLU().forward(np.array([1.0, -0.5]))
    array([1., 0.])
    """

    def forward(self, x_input: Array) -> Any:
        self.output = relu_forward(x_input)
        return self.output

    def backward(self, x_input: Array, grad_output: Array) -> Any:
        return relu_grad_input(x_input, grad_output)


class Dropout(Layer):
    """Zeros entries with probability `drop_rate` in training, scales by ``1 - drop_rate`` in testing.

    Examples
    --------
    >>> layer = Dropout(0.5)
    >>> layer.training_phase = False
    >>> layer.forward(np.array([1.0, 2.0]))
    array([0.5, 1. ])
    """

    def __init__(self, drop_rate: float) -> None:
        super().__init__()
        self.drop_rate = drop_rate
        self.mask: Any = 1.0

    def forward(self, x_input: Array) -> Any:
        if self.training_phase:
            self.mask = dropout_generate_mask(x_input.shape, self.drop_rate)
        self.output = dropout_forward(x_input, self.mask, self.drop_rate, self.training_phase)
        return self.output

    def backward(self, x_input: Array, grad_output: Array) -> Any:
        return dropout_grad_input(x_input, grad_output, self.mask)


class ConvLayer(_Weighted):
    """Convolution of (n_obj, n_in, h, w) to (n_obj, n_out, h, w), zero-padded.

    `W` of shape (n_out, n_in, filter_size, filter_size) is standard normal, `b` of shape (n_out,) zeros.

    Examples
    --------
    >>> ConvLayer(1, 2, 3).forward(np.ones((5, 1, 8, 8))).shape
    (5, 2, 8, 8)
    """

    def __init__(self, n_in: int, n_out: int, filter_size: int) -> None:
        super().__init__(np.random.normal(size=(n_out, n_in, filter_size, filter_size)), np.zeros(n_out))

    def forward(self, x_input: Array) -> Any:
        self.output = ops.add_bias.forward(ops.conv2d.forward(x_input, self.W), self.b, 1)
        return self.output

    def backward(self, x_input: Array, grad_output: Array) -> Any:
        g = _gradient("ConvLayer.backward", grad_output, (len(x_input), len(self.W), *x_input.shape[2:]))
        self.grad_b = _rule(ops.add_bias, "b", g=g, axis=1)
        self.grad_W = _rule(ops.conv2d, "kernel", g=g, x=x_input, kernel_shape=self.W.shape, padding="same")
        return _rule(ops.conv2d, "x", g=g, x_shape=x_input.shape, kernel=self.W, padding="same")


class MaxPool2x2(Layer):
    """The maximum of each 2x2 window: (n_obj, n_ch, 2h, 2w) to (n_obj, n_ch, h, w).

    Examples
    --------
    >>> MaxPool2x2().forward(np.ones((5, 2, 8, 8))).shape
    (5, 2, 4, 4)
    """

    def forward(self, x_input: Array) -> Any:
        self.output = maxpool_forward(x_input)
        return self.output

    def backward(self, x_input: Array, grad_output: Array) -> Any:
        return maxpool_grad_input(x_input, grad_output)


class FlattenLayer(Layer):
    """(n_obj, n_ch, h, w) to (n_obj, n_ch*h*w).

    Examples
    --------
    >>> FlattenLayer().forward(np.ones((5, 2, 4, 4))).shape
    (5, 32)
    """

    def forward(self, x_input: Array) -> Any:
        self.output = flatten_forward(x_input)
        return self.output

    def backward(self, x_input: Array, grad_output: Array) -> Any:
        return flatten_grad_input(x_input, grad_output)


class SequentialNN:
    """Layers one after the other; a student's own `Layer` may be among them.

    Examples
    --------
    >>> model = SequentialNN()
    >>> model.add(Dense(10, 4))
    >>> model.add(ReLU())
    >>> model.forward(np.ones((3, 10))).shape
    (3, 4)
    """

    def __init__(self) -> None:
        self.layers: list[Any] = []
        self.training_phase = True
        self.output: Any = 0.0

    def set_training_phase(self, is_training: bool = True) -> None:
        """Tell the model and its layers whether they are training or testing."""
        self.training_phase = is_training
        for layer in self.layers:
            layer.training_phase = is_training

    def add(self, layer: Any) -> None:
        """Put a layer at the end, in the phase that it is in."""
        self.layers.append(layer)

    def forward(self, x_input: Array) -> Any:
        """Pass the input through all layers; return the output of the last."""
        self.output = x_input
        for layer in self.layers:
            self.output = layer.forward(self.output)
        return self.output

    def backward(self, x_input: Array, grad_output: Array) -> Any:
        """Pass the gradient back through all layers, after `forward` of the same input; return the gradient by it."""
        inputs = [x_input, *(layer.output for layer in self.layers[:-1])]
        for layer, layer_input in zip(reversed(self.layers), reversed(inputs), strict=False):
            grad_output = layer.backward(layer_input, grad_output)
        return grad_output

    def get_params(self) -> list[Array]:
        """All layers' parameters, in order."""
        return [parameter for layer in self.layers for parameter in layer.get_params()]

    def get_params_gradients(self) -> list[Array]:
        """All layers' gradients, in the order of `get_params`."""
        return [gradient for layer in self.layers for gradient in layer.get_params_gradients()]


class Loss:
    """The course's loss: a number, and its gradient by the predictions; this one is 0.

    Examples
    --------
    >>> Loss().forward(np.ones(2), np.ones(2))
    0.0
    """

    def __init__(self) -> None:
        self.output: Any = 0.0

    def forward(self, target_pred: Array, target_true: Array) -> Any:
        """Compute, keep and return the loss."""
        return self.output

    def backward(self, target_pred: Array, target_true: Array) -> Any:
        """Return the gradient by the predictions."""
        return np.zeros_like(target_pred)


class Hinge(Loss):
    """The hinge loss; see `hinge_forward`.

    Examples
    --------
    >>> float(Hinge().forward(np.array([2, -5, 3, 0.5]), np.array([-1, -1, 1, 1])))
    0.875
    """

    def forward(self, target_pred: Array, target_true: Array) -> Any:
        self.output = hinge_forward(target_pred, target_true)
        return self.output

    def backward(self, target_pred: Array, target_true: Array) -> Any:
        return hinge_grad_input(target_pred, target_true)


class MSE(Loss):
    """Half the mean squared error; see `mse_forward`.

    Examples
    --------
    >>> float(MSE().forward(np.array([1.0, 2.0]), np.array([1.0, 4.0])))
    1.0
    """

    def forward(self, target_pred: Array, target_true: Array) -> Any:
        self.output = mse_forward(target_pred, target_true)
        return self.output

    def backward(self, target_pred: Array, target_true: Array) -> Any:
        return mse_grad_input(target_pred, target_true)


class Optimizer:
    """What updates the parameters of a model; this one leaves them alone.

    Examples
    --------
    >>> Optimizer(SequentialNN(), lr=0.1).lr
    0.1
    """

    def __init__(self, model: Any, lr: float = 0.01, weight_decay: float = 0.0) -> None:
        self.model = model
        self.lr = lr
        self.weight_decay = weight_decay

    def update_params(self) -> None:
        """Update the parameters."""


class SGD(Optimizer):
    """``w -= lr * dw + weight_decay * w``, in place; the decay is not multiplied by the learning rate.

    Examples
    --------
    >>> model = Dense(1, 1)
    >>> model.W[:], model.grad_W[:] = 1.0, 2.0
    >>> SGD(model, lr=0.1).update_params()
    >>> model.W
    array([[0.8]])
    """

    def update_params(self) -> None:
        for w, dw in zip(self.model.get_params(), self.model.get_params_gradients(), strict=True):
            np.subtract(w, self.lr * dw + self.weight_decay * w, out=w)
