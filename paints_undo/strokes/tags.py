"""What tags of an artwork tell a planner: it listens to a few, as to one sign among others."""

from __future__ import annotations

DRAWN = frozenset(
    ("cel shading", "comic", "flat color", "greyscale", "line art", "lineart", "manga", "monochrome", "sketch")
)
PAINTED = frozenset(
    (
        "acrylic paint (medium)",
        "impressionism",
        "oil painting (medium)",
        "painting (medium)",
        "photo (medium)",
        "photorealistic",
        "realistic",
        "traditional media",
        "watercolor (medium)",
    )
)
PEOPLE = frozenset(("1boy", "1girl", "2boys", "2girls", "face", "man", "person", "portrait", "solo", "woman"))
NOBODY = frozenset(("no humans",))


def telling(prompt: str) -> str:
    """The tags in a prompt that a planner listens to, sorted and comma-separated; "" where there are none."""
    said = {tag.strip().lower().replace("_", " ").replace("\\", "") for tag in prompt.split(",")}
    return ", ".join(sorted(said & (DRAWN | PAINTED | PEOPLE | NOBODY)))


def leaning(tags: str, for_it: frozenset[str], against: frozenset[str]) -> int:
    """1 where tags speak for something, -1 where they speak against it, 0 where for neither or both."""
    said = set(tags.split(", "))
    return bool(said & for_it) - bool(said & against)
