"""What the original Paints-UNDO computes, recorded; see tests/data/README.md."""

import json
from dataclasses import dataclass
from pathlib import Path

from reference_fill import reference_input
from safetensors.torch import load_file
from torch import Tensor

DATA = Path(__file__).parent / "data"

# Largest difference, in standard deviations of the output, of a single float32 forward and of a whole sampler run.
FORWARD = 1.5e-5
SAMPLER = 1e-3


@dataclass(frozen=True)
class Reference:
    """One recorded component: its settings, its inputs and the original's outputs."""

    spec: dict
    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]

    @property
    def config(self) -> dict:
        """The original's constructor arguments, with tuples for lists."""
        return {key: tuple(v) if isinstance(v, list) else v for key, v in self.spec["config"].items()}


def recorded(name: str) -> Reference:
    """The recorded component `name`."""
    spec = json.loads((DATA / "components" / f"{name}.json").read_text())
    inputs = {key: reference_input(key, shape) for key, shape in spec.get("inputs", {}).items()}
    return Reference(spec, inputs, load_file(DATA / "components" / f"{name}.safetensors"))


def deviation(found: Tensor, expected: Tensor) -> float:
    """The largest difference, in standard deviations of what was expected."""
    assert found.shape == expected.shape
    return ((found - expected).abs().max() / expected.std()).item()


def shapes(network) -> dict[str, list[int]]:
    """State-dict key -> shape."""
    return {key: list(tensor.shape) for key, tensor in network.state_dict().items()}
