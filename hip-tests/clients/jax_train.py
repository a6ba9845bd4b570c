"""What frameworks/jax.rs has JAX do: `jit`, `grad`, `mlp` or `transformer`, on the card and on the CPU.

Prints the bits of the card's results, and fails where one is further from the CPU's than BOUND of the largest.
"""
import hashlib
import sys

import jax
import jax.numpy as jnp
import numpy as np

BOUND = 1e-5
random = np.random.default_rng(0)


def numbers(*shape):
    return random.standard_normal(shape, dtype=np.float32)


def elementwise(a, b):
    return jnp.tanh(a @ b) + jnp.sin(a).sum(axis=1, keepdims=True)


def predict(parameters, inputs):
    (w1, b1), (w2, b2) = parameters
    return jnp.tanh(inputs @ w1 + b1) @ w2 + b2


def loss(parameters, inputs, targets):
    return jnp.mean((predict(parameters, inputs) - targets) ** 2)


@jax.jit
def step(parameters, inputs, targets):
    value, gradient = jax.value_and_grad(loss)(parameters, inputs, targets)
    return value, jax.tree.map(lambda p, g: p - 0.1 * g, parameters, gradient)


def train(parameters, inputs, targets):
    values = []
    for _ in range(20):
        value, parameters = step(parameters, inputs, targets)
        values.append(value)
    return jnp.stack(values)


def normalize(x):
    x = x - x.mean(axis=-1, keepdims=True)
    return x * jax.lax.rsqrt((x * x).mean(axis=-1, keepdims=True) + 1e-5)


def transformer(x, q, k, v, o, up, down):
    heads = lambda w: (normalize(x) @ w).reshape(x.shape[0], 2, -1).swapaxes(0, 1)
    scores = heads(q) @ heads(k).swapaxes(1, 2) / np.float32(4)
    mask = jnp.tril(jnp.ones(scores.shape[1:], bool))
    attended = jax.nn.softmax(jnp.where(mask, scores, -1e9)) @ heads(v)
    x = x + attended.swapaxes(0, 1).reshape(x.shape) @ o
    return x + jax.nn.gelu(normalize(x) @ up) @ down


layers = ((numbers(8, 32) / 4, numbers(32)), (numbers(32, 4) / 8, numbers(4)))
samples = (numbers(64, 8), numbers(64, 4))
block = tuple(w / np.float32(4) for w in [*(numbers(32, 32) for _ in range(4)), numbers(32, 64), numbers(64, 32)])
function, arguments = {
    "jit": (jax.jit(elementwise), (numbers(16, 16), numbers(16, 16))),
    "grad": (jax.jit(jax.grad(loss)), (layers, *samples)),
    "mlp": (train, (layers, *samples)),
    "transformer": (jax.jit(transformer), (numbers(16, 32), *block)),
}[sys.argv[1]]

results = []
for device in jax.devices("rocm")[0], jax.devices("cpu")[0]:
    result = jax.tree.leaves(function(*jax.device_put(arguments, device)))
    assert all(leaf.devices() == {device} for leaf in result), device
    results.append([np.asarray(leaf) for leaf in result])
for card, cpu in zip(*results, strict=True):
    apart = np.abs(card - cpu).max() / np.abs(cpu).max()
    print(hashlib.sha256(card.tobytes()).hexdigest(), card.shape)
    if not apart <= BOUND:
        sys.exit(f"{apart} apart from the CPU, at most {BOUND}")
