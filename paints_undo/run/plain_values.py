"""Values that JSON keeps unchanged, and what two sets of them differ in."""

import math
from collections.abc import Iterator
from typing import Any


def plain(value: object, where: str) -> Any:
    """``value`` as JSON would give it back; raises TypeError where something would be lost."""
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"{where} has the key {key!r}; keys are strings.")
        return {key: plain(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item, f"{where}[{i}]") for i, item in enumerate(value)]
    if value is None or type(value) in (str, bool, int) or (type(value) is float and math.isfinite(value)):
        return value
    raise TypeError(f"{where} is {value!r} ({type(value).__name__}); settings are plain, finite JSON values.")


def differences(kept: object, given: object, name: str = "") -> Iterator[str]:
    if isinstance(kept, dict) and isinstance(given, dict):
        for key in sorted(kept.keys() | given.keys()):
            missing = "not set"
            yield from differences(kept.get(key, missing), given.get(key, missing), f"{name}.{key}".lstrip("."))
    elif kept != given or isinstance(kept, bool) != isinstance(given, bool):
        yield f"{name} is {shown(kept)} there and {shown(given)} now"


def shown(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."
