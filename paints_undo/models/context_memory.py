"""Keys and values of a context that stays the same from sampling step to sampling step."""

from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager
from contextvars import ContextVar

from torch import Tensor, nn

from paints_undo.models.within import within

KeysAndValues = tuple[Tensor, ...]

_memory: ContextVar[dict[Hashable, tuple[Tensor, KeysAndValues]] | None] = ContextVar("context_memory", default=None)


def context_memory() -> AbstractContextManager[None]:
    """Within this block of the calling thread each cross-attention projects each context once.

    For sampling, where text and image are the same in every step: open one block for each segment or set of keyframes,
    and give the networks the very same context tensors, unchanged, in every step.  What was kept is forgotten at the
    end.  Outside such a block nothing is kept: training changes the weights.
    """
    return within(_memory, {})


def keys_and_values(layer: nn.Module, context: Tensor, project: Callable[[Tensor], KeysAndValues]) -> KeysAndValues:
    """`project(context)`, within a context_memory computed once for each layer and context."""
    memory = _memory.get()
    if memory is None:
        return project(context)
    key = (layer, context.data_ptr(), context.shape, context.stride(), context.dtype)
    if key not in memory:
        memory[key] = context, project(context)  # holding the context keeps others from its address
    return memory[key][1]
