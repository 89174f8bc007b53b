"""Seeds -> characters of DiceBear's openly licensed styles, recoloured, with tags read from the chosen options."""

from __future__ import annotations

import colorsys
import functools
import json
import random
from importlib.resources import files
from typing import Any

from paints_undo.training.sources import VectorPicture

STYLE_SHARES = {"lorelei": 34, "adventurer": 28, "open-peeps": 12, "toon-head": 12, "micah": 8, "big-ears": 6}
UNSEEN_STYLES = {"personas": 1, "big-smile": 1}
"""Styles that training never sees: how well these are drawn says what happens to a hand it does not know."""

HAIR_COLOURS = {
    # tag: hue range (degrees), saturation range, lightness range
    "black hair": ((0, 360), (0.0, 0.25), (0.08, 0.16)),
    "brown hair": ((18, 30), (0.40, 0.60), (0.20, 0.34)),
    "blonde hair": ((42, 52), (0.65, 0.95), (0.62, 0.76)),
    "orange hair": ((22, 32), (0.75, 0.95), (0.50, 0.60)),
    "red hair": ((354, 366), (0.60, 0.85), (0.36, 0.48)),
    "pink hair": ((325, 345), (0.60, 0.90), (0.70, 0.80)),
    "purple hair": ((262, 285), (0.40, 0.70), (0.45, 0.65)),
    "blue hair": ((208, 232), (0.55, 0.85), (0.42, 0.64)),
    "aqua hair": ((172, 190), (0.50, 0.80), (0.50, 0.68)),
    "green hair": ((95, 145), (0.40, 0.70), (0.36, 0.56)),
    "grey hair": ((210, 240), (0.04, 0.12), (0.55, 0.68)),
    "white hair": ((210, 240), (0.10, 0.25), (0.88, 0.94)),
}
SKIN_COLOURS = ("#ffe9dc", "#ffdfc4", "#f7d7c4", "#f2d3b1", "#ecad80", "#c98a5b", "#9e5622", "#763900")
DARK_SKIN = ("#9e5622", "#763900")

# What the numbered variants of the two main styles show.
LORELEI_LONG = {10, 13, 15, 16, 21, 24, 29, 31, 32, 33, 35, 40, 41, 42, 45}
LORELEI_BUN = {14, 26, 38, 45, 46}
LORELEI_PONYTAIL = {31, 33, 36, 42, 48}
LORELEI_BALD = {25, 28, 34}
CLOSED_EYES = {"lorelei": {1, 19, 22}, "adventurer": {19, 20}}
WINKING = {"lorelei": {15, 18}, "adventurer": {21, 22}}
ADVENTURER_OPEN_MOUTH = {1, 3, 5, 12, 15, 16, 24, 25, 26, 27, 28}

NAMED_EXPRESSIONS = {
    "smile": ("happy", "smile", "cute", "lol", "grin", "laugh", "cheeky", "kawaii", "smirk"),
    "open mouth": ("awe", "laugh", "agape", "lol", "surprise", "explaining", "rage", "hectic"),
    "closed eyes": ("eyesclosed", "sleep", "humble"),
    "one eye closed": ("wink",),
    "angry": ("angry", "rage"),
    "frown": ("sad", "frown", "concerned", "tired", "fear"),
}


def draw_character(seed: str, shares: dict[str, int] = STYLE_SHARES) -> VectorPicture:
    """The character of one seed, on a transparent square, named `style/seed`."""
    from dicebear import Avatar  # an extra that only training needs

    random_numbers = random.Random(seed)
    style = random_numbers.choices(list(shares), list(shares.values()))[0]
    hair = random_numbers.choice(list(HAIR_COLOURS))
    second = random_numbers.choice(list(HAIR_COLOURS))
    multicoloured = random_numbers.random() < 0.12
    skin = random_numbers.choices(SKIN_COLOURS, (5, 5, 5, 5, 3, 2, 2, 1))[0]
    wanted = {
        "hairColor": [_hair_colour(name, random_numbers) for name in ((hair, second) if multicoloured else (hair,))],
        "hairColorFill": ["linear" if multicoloured else "solid"],
        "headContrastColor": [_hair_colour(hair, random_numbers)],
        "skinColor": [skin],
        "baseColor": [skin],
        "mouthColor": [random_numbers.choice(("#8c3b3b", "#a8474b", "#6d2a2f"))],
        "eyesColor": [random_numbers.choice(("#1c1518", "#20304a", "#2d4a2a", "#4a2c20"))],
        "outlineColor": ["#1c1518"],
        "eyebrowsColor": ["#1c1518"],
        "noseColor": ["#3a2426"],
    }
    for garment in ("clothing", "clothes", "shirt", "glasses"):
        wanted[f"{garment}Color"] = [random_colour(random_numbers, (0.25, 0.75), (0.3, 0.9))]
    drawn, known = _style(style)
    avatar = Avatar(drawn, {"seed": seed, **{name: value for name, value in wanted.items() if name in known}})
    options = avatar.to_json()["options"]
    tags = ["solo", *_hair_tags(style, options, hair, multicoloured), *_face_tags(style, options)]
    if skin in DARK_SKIN:
        tags.append("dark skin")
    tags.insert(0, "1boy" if {"facial hair", "bald"} & set(tags) else "1girl")
    return VectorPicture(f"{style}/{seed}", avatar.to_string(), tuple(dict.fromkeys(tags)))


def draw_landscape(seed: str) -> VectorPicture:
    """Hills under a sky, for behind a character."""
    from dicebear import Avatar

    avatar = Avatar(_style("landscape")[0], {"seed": seed, "animationVariant": ["none"]})
    return VectorPicture(f"landscape/{seed}", avatar.to_string(), ("scenery", "outdoors", "mountain"))


def random_colour(
    random_numbers: random.Random, lightness: tuple[float, float], saturation: tuple[float, float]
) -> str:
    """A colour of any hue as #rrggbb."""
    return _hex(random_numbers.random(), random_numbers.uniform(*lightness), random_numbers.uniform(*saturation))


@functools.cache
def _style(name: str) -> tuple[Any, frozenset[str]]:
    """A style, and the colour options that it knows: it refuses any other."""
    from dicebear import Style

    described = json.loads(files("dicebear_styles").joinpath(f"{name}.json").read_text())
    colours = described.get("colors", {})
    return Style(described), frozenset(colour + ending for colour in colours for ending in ("Color", "ColorFill"))


def _hair_tags(style: str, options: dict, colour: str, multicoloured: bool) -> list[str]:
    variant = str(options.get("hairVariant") or options.get("headVariant") or "").lower()
    long = "long" in variant or bool(options.get("rearHairVariant"))
    bald = "bald" in variant or variant.startswith("nohair")
    tags = []
    if style == "lorelei":
        number = int(variant[-2:])
        long, bald = number in LORELEI_LONG, number in LORELEI_BALD
        tags += ["hair bun"] * (number in LORELEI_BUN) + ["ponytail"] * (number in LORELEI_PONYTAIL)
    if style == "open-peeps":
        if variant in ("hijab", "turban", "hatbeanie", "hathip"):
            return ["hat" if "hat" in variant else variant]
        colour = colour if options.get("headContrastColor") else "black hair"
    if bald:
        return ["bald"]
    tags += ["hair bun"] * ("bun" in variant) + ["mohawk"] * ("mohawk" in variant)
    tags += ["hair flower"] * bool(options.get("hairAccessoriesVariant"))
    return ["multicolored hair" if multicoloured else colour, "long hair" if long else "short hair", *tags]


def _face_tags(style: str, options: dict) -> list[str]:
    def shown(part: str) -> str:
        return str(options.get(f"{part}Variant") or "").lower()

    accessories = shown("accessories")
    tags = ["glasses"] * (bool(shown("glasses")) or accessories.startswith("glasses"))
    tags += ["sunglasses"] * ("sunglasses" in (accessories, shown("eyes")) or accessories == "sunglasses2")
    tags += ["eyepatch"] * (accessories == "eyepatch") + ["mask"] * bool(shown("mask"))
    tags += ["facial hair"] * bool(shown("beard") or shown("facialHair") or shown("details") == "mustache")
    tags += ["earrings"] * bool(shown("earrings")) + ["blush"] * (shown("details") == "blush")
    tags += ["freckles"] * bool(shown("freckles") or shown("details") == "freckles")
    if style in CLOSED_EYES:
        number = int(shown("eyes")[-2:])
        tags += ["closed eyes"] * (number in CLOSED_EYES[style]) + ["one eye closed"] * (number in WINKING[style])
    if style == "adventurer":
        return tags + ["open mouth"] * (int(shown("mouth")[-2:]) in ADVENTURER_OPEN_MOUTH)
    expression = " ".join(shown(part) for part in ("expression", "mouth", "eyes"))
    return tags + [tag for tag, words in NAMED_EXPRESSIONS.items() if any(word in expression for word in words)]


def _hair_colour(name: str, random_numbers: random.Random) -> str:
    hue, saturation, lightness = HAIR_COLOURS[name]
    return _hex(
        random_numbers.uniform(*hue) / 360 % 1, random_numbers.uniform(*lightness), random_numbers.uniform(*saturation)
    )


def _hex(hue: float, lightness: float, saturation: float) -> str:
    return "#" + "".join(f"{round(255 * part):02x}" for part in colorsys.hls_to_rgb(hue, lightness, saturation))
