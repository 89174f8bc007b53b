"""Networks that say where they are."""

import pytest
import torch

from paints_undo.family.model_family import PARTS, open_family
from paints_undo.family.weights import load_part


@pytest.mark.parametrize("part", PARTS)
def test_every_network_says_where_it_is(tiny_family, part):
    network = load_part(open_family(tiny_family), part, torch.bfloat16)
    assert network.device == torch.device("cpu") and network.dtype == torch.bfloat16
    assert network.to("meta", torch.float32).device.type == "meta" and network.dtype == torch.float32
