"""Seeds -> whole pictures: a background, a character or an object, sometimes props, always with tags."""

from __future__ import annotations

import colorsys
import functools
import random
import re
import xml.etree.ElementTree as ElementTree

from paints_undo.training.characters import STYLE_SHARES, UNSEEN_STYLES, draw_character, draw_landscape, random_colour
from paints_undo.training.sources import VectorPicture, is_held_out, load_emoji, svg_document
from paints_undo.training.vector_art import parse_svg

CHARACTER_SHARE = 0.64
PROP_COUNTS = (0, 0, 0, 0, 1, 1, 2)
CEL_SHADED_SHARE = 0.65  # of the pictures without gradients of their own
FRAME_SIZE = {"lorelei": (0.92, 1.08), "adventurer": (0.86, 1.0), "open-peeps": (0.82, 0.98)}  # of the picture's width
PROPS = re.compile(
    r"cat|dog|fox|bird|flower|rose|tulip|star|heart|apple|cherr|cake|balloon|book|guitar|umbrella|moon|cloud|butterfly|"
    r"rabbit|bear|fish|tree|mushroom|bell|gift|crown|camera|ribbon|bee|turtle|owl|frog|hat|sword|leaf|planet|candy"
)
# each hue ends where the next begins, in degrees
HUES = {"red": 20, "orange": 45, "yellow": 70, "green": 165, "aqua": 200, "blue": 255, "purple": 290, "pink": 345}


def draw_scene(number: int, split: str = "train") -> tuple[VectorPicture, int]:
    """The picture of a number, and the light for its cel shading: -1, 1, or 0 for none; the same every time.

    No emoji appears both in `train` and elsewhere, and no character; `unseen_style` shows characters of styles that
    the others never use.
    """
    random_numbers = random.Random(f"{split} {number}")
    objects = _objects(split)
    body, tags = _background(random_numbers, f"{split} {number}")
    is_character = split == "unseen_style" or random_numbers.random() < CHARACTER_SHARE
    if is_character:
        subject = draw_character(f"{split} {number}", UNSEEN_STYLES if split == "unseen_style" else STYLE_SHARES)
        smallest, largest = FRAME_SIZE.get(subject.name.split("/")[0], (0.8, 0.96))
        size = 100 * random_numbers.uniform(smallest, largest)
        place = (100 - size) / 2 + random_numbers.uniform(-5, 5), 100 - size * 0.985
    else:
        subject = objects[random_numbers.choice(list(objects))]
        size = random_numbers.uniform(66, 94)
        place = (100 - size) / 2 + random_numbers.uniform(-3, 3), (100 - size) / 2 + random_numbers.uniform(-2, 3)
        tags.append("no humans")
    body += _placed(subject.svg, place, size, "s", random_numbers.random() < 0.5)
    for index in range(random_numbers.choice(PROP_COUNTS)):
        prop = random_numbers.choice(_props(split))
        side = random_numbers.choice(((1, 14), (66, 76)))
        place = random_numbers.uniform(*side), random_numbers.uniform(0, 70)
        body += _placed(prop.svg, place, random_numbers.uniform(20, 30), f"p{index}", random_numbers.random() < 0.5)
        tags += prop.tags[:1]
    shaded = subject.name.startswith("fluent/") or random_numbers.random() >= CEL_SHADED_SHARE
    light = 0 if shaded else random_numbers.choice((-1, 1))
    tags = [*subject.tags, *tags, *(["cel shading"] if light else [])]
    picture = VectorPicture(
        f"{split}/{number}/{subject.name}", svg_document("0 0 100 100", body), tuple(dict.fromkeys(tags))
    )
    return picture, light


@functools.cache
def _objects(split: str) -> dict[str, VectorPicture]:
    """Emoji of a split by name, in a fixed order."""
    wanted = split != "train"
    emoji = sorted(load_emoji().items())
    return {name: picture for name, picture in emoji if is_held_out(name.split("/")[1]) == wanted}


@functools.cache
def _props(split: str) -> list[VectorPicture]:
    return [picture for name, picture in _objects(split).items() if PROPS.search(name)]


def _background(random_numbers: random.Random, seed: str) -> tuple[str, list[str]]:
    """Markup of the background, 100 units wide, and its tags."""
    chance = random_numbers.random()
    if chance < 0.34:
        return "", ["white background"]
    if chance < 0.54:
        landscape = draw_landscape(seed)
        return _placed(landscape.svg, (0, 0), 100, "b", False), list(landscape.tags)
    colour = random_colour(random_numbers, (0.66, 0.93), (0.35, 0.9))
    if chance < 0.8:
        tags = ["simple background", f"{_hue_name(colour)} background"]
        return f'<rect width="100" height="100" fill="{colour}"/>', tags
    other = random_colour(random_numbers, (0.6, 0.92), (0.35, 0.9))
    stops = f'<stop offset="0" stop-color="{colour}"/><stop offset="1" stop-color="{other}"/>'
    gradient = f'<defs><linearGradient id="sky" x1="0" y1="0" x2="0" y2="1">{stops}</linearGradient></defs>'
    return gradient + '<rect width="100" height="100" fill="url(#sky)"/>', ["gradient background"]


def _hue_name(colour: str) -> str:
    hue = 360 * colorsys.rgb_to_hls(*(int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)))[0]
    return next((name for name, end in HUES.items() if hue < end), "red")


def _placed(svg: str, place: tuple[float, float], size: float, prefix: str, mirrored: bool) -> str:
    """A picture's markup scaled to `size` with its top left corner at `place`; ids get a prefix to stay apart."""
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}\1"', svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}\1)", svg)
    svg = re.sub(r'href="#([^"]+)"', rf'href="#{prefix}\1"', svg)
    root = parse_svg(svg)
    left, top, width, height = (float(value) for value in re.split(r"[ ,]+", root.get("viewBox", "0 0 1 1").strip()))
    flip = f"translate({size} 0) scale(-1 1) " if mirrored else ""
    move = f"translate({place[0]} {place[1]}) {flip}scale({size / max(width, height)}) translate({-left} {-top})"
    paint = " ".join(f'{name}="{root.get(name)}"' for name in ("fill", "stroke") if root.get(name))
    return f'<g transform="{move}" {paint}>' + "".join(ElementTree.tostring(part).decode() for part in root) + "</g>"
