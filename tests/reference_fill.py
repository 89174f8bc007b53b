"""Deterministic parameters for reference checks: every tensor is a pure function of its state-dict key and shape."""

import zlib

import numpy as np
import torch


def reference_tensor(key: str, shape) -> torch.Tensor:
    """The float32 tensor that the reference files use for parameter `key` of `shape`.

    Seeded by crc32 of the key.  Two or more dimensions: N(0, 1) / sqrt(prod(shape[1:])), so that
    activations keep their scale; one dimension ending in 'weight': 1 + 0.1 N(0, 1); else 0.1 N(0, 1).
    """
    rng = np.random.Generator(np.random.PCG64(zlib.crc32(key.encode())))
    noise = rng.standard_normal(tuple(shape), dtype=np.float32)
    if len(shape) >= 2:
        noise = noise / np.float32(np.sqrt(np.prod(shape[1:])))
    elif key.endswith("weight"):
        noise = 1 + np.float32(0.1) * noise
    else:
        noise = np.float32(0.1) * noise
    return torch.from_numpy(np.asarray(noise, dtype=np.float32)).reshape(tuple(shape))


def fill(module: torch.nn.Module) -> torch.nn.Module:
    """Fill all floating-point parameters and buffers of `module` in place; integer buffers are left alone."""
    state = module.state_dict()
    for key, value in state.items():
        if value.is_floating_point():
            value.copy_(reference_tensor(key, value.shape))
    return module


def reference_input(name: str, shape) -> torch.Tensor:
    """A float32 N(0, 1) input tensor that is a pure function of `name` and `shape`."""
    rng = np.random.Generator(np.random.PCG64(zlib.crc32(("input:" + name).encode())))
    return torch.from_numpy(rng.standard_normal(tuple(shape), dtype=np.float32))
