"""Keys and values of a context are computed once within a block, and every time outside."""

import torch
from torch import nn

from paints_undo.models.context_memory import context_memory, keys_and_values


class Counted(nn.Linear):
    """A layer that counts its uses."""

    calls = 0

    def project(self, context):
        self.calls += 1
        return (self(context),)


def test_once_for_each_layer_and_context():
    layers, contexts = [Counted(3, 4), Counted(3, 4)], [torch.ones(1, 2, 3), torch.ones(1, 2, 3), torch.ones(2, 2, 3)]
    with context_memory():
        for _ in range(3):
            for layer in layers:
                for context in contexts:
                    assert torch.equal(keys_and_values(layer, context, layer.project)[0], layer(context))
    assert [layer.calls for layer in layers] == [3, 3]


def test_views_of_one_tensor_are_told_apart():
    layer, context = Counted(3, 4), torch.arange(12.0).view(2, 2, 3)
    with context_memory():
        for view in (context, context[:1], context[1:], context[:1].expand(2, -1, -1), context.transpose(0, 1)):
            assert torch.equal(keys_and_values(layer, view, layer.project)[0], layer(view))
    assert layer.calls == 5


def test_addresses_are_not_used_again():
    layer = Counted(3, 4)
    with context_memory():
        for number in range(20):
            found = keys_and_values(layer, torch.full((1, 2, 3), float(number)), layer.project)[0]
            assert torch.equal(found, layer(torch.full((1, 2, 3), float(number))))


def test_nothing_is_kept_outside_or_from_block_to_block():
    layer, context = Counted(3, 4), torch.ones(1, 2, 3)
    for _ in range(2):
        keys_and_values(layer, context, layer.project)
        with context_memory():
            keys_and_values(layer, context, layer.project)
    assert layer.calls == 4


def test_inner_blocks_have_their_own_memory():
    layer, context = Counted(3, 4), torch.ones(1, 2, 3)
    with context_memory():
        keys_and_values(layer, context, layer.project)
        with context_memory():
            keys_and_values(layer, context, layer.project)
        keys_and_values(layer, context, layer.project)
    assert layer.calls == 2
