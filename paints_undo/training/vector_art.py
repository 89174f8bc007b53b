"""SVG -> DrawingProcess: one render for the picture, one with a colour per shape for the exact label map."""

from __future__ import annotations

import copy
import re
import xml.etree.ElementTree as ElementTree
from xml.etree.ElementTree import Element

import numpy as np

from paints_undo.training.layering import build_process, spread
from paints_undo.training.process import DrawingProcess

SVG = "{http://www.w3.org/2000/svg}"
XLINK = "{http://www.w3.org/1999/xlink}"
SHAPES = {SVG + name for name in ("path", "circle", "ellipse", "rect", "polygon", "polyline", "line")}
HIDDEN_CONTAINERS = {SVG + name for name in ("defs", "clipPath", "mask", "filter", "symbol", "pattern")}
PAINT = ("fill", "stroke", "opacity", "id", "mix-blend-mode", "isolation")  # what says nothing of a shape's outline
OPAQUE = 0.75  # a shape at least this opaque is paint; anything thinner is shading
DEEPEST_USE = 12  # nested <use> beyond this is a loop

ElementTree.register_namespace("", SVG[1:-1])
ElementTree.register_namespace("xlink", XLINK[1:-1])


def process_from_svg(svg: str, size: int = 128, light: int = 0) -> DrawingProcess:
    """The drawing process of a square vector picture on white, at `size` pixels; `light` as in `build_process`.

    Raises ValueError when the text is no SVG that the renderer reads, or shows no shape.
    """
    return build_process(*rasterise(svg, 2 * size), light)


def rasterise(svg: str, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The picture on white, uint8 (size, size, 3), and its label map, int32 (size, size): 0 paper, then one a shape."""
    root = parse_svg(svg)
    final = _render(root, size)
    labelled, colours = _paint_labels(root)
    return final, _read_labels(_render(labelled, size), colours)


def parse_svg(svg: str) -> Element:
    """The SVG's root with every <use> replaced by what it points to, so that document order is painting order."""
    try:
        root = ElementTree.fromstring(re.sub(r"<\?xml.*?\?>|<!DOCTYPE.*?>", "", svg, flags=re.S))
    except ElementTree.ParseError as error:
        raise ValueError(f"the text is not well-formed SVG ({error}); pass the text of an .svg file") from error
    for metadata in root.findall(SVG + "metadata"):
        root.remove(metadata)
    targets = {element.get("id"): element for element in root.iter() if element.get("id")}
    _inline_uses(root, targets, 0)
    for attribute in ("width", "height"):  # the view box alone decides, or units would shift the crop
        root.attrib.pop(attribute, None)
    for element in root.iter():  # a style says more than an attribute
        for name, value in re.findall(r"([\w-]+)\s*:\s*([^;]+)", element.attrib.pop("style", "")):
            element.set(name, value.strip())
    for defs in list(root.iter(SVG + "defs")):
        for child in list(defs):
            if child.tag == SVG + "g" or child.tag in SHAPES:
                defs.remove(child)
    return root


def _inline_uses(parent: Element, targets: dict, depth: int) -> None:
    for position, child in enumerate(list(parent)):
        if child.tag == SVG + "use" and depth < DEEPEST_USE:
            target = targets.get((child.get("href") or child.get(XLINK + "href") or "")[1:])
            if target is None:
                continue
            left_out = ("href", XLINK + "href", "x", "y", "width", "height", "id")
            group = Element(SVG + "g", {k: v for k, v in child.attrib.items() if k not in left_out})
            offset = float(child.get("x") or 0), float(child.get("y") or 0)
            if any(offset):
                group.set("transform", f"{group.get('transform', '')} translate({offset[0]} {offset[1]})".strip())
            clone = copy.deepcopy(target)
            clone.attrib.pop("id", None)
            group.append(clone)
            parent[position] = child = group
        _inline_uses(child, targets, depth + 1)


def _render(root: Element, size: int) -> np.ndarray:
    import skia  # an extra that only training needs

    data = ElementTree.tostring(root)  # must outlive the stream, which does not copy it
    document = skia.SVGDOM.MakeFromStream(skia.MemoryStream(data))
    if document is None:
        raise ValueError("the renderer cannot read this SVG; pass plain SVG 1.1 with a viewBox")
    pixels = np.zeros((size, size, 4), np.uint8)
    surface = skia.Surface(pixels)
    with surface as canvas:
        canvas.clear(skia.ColorWHITE)
        document.setContainerSize(skia.Size(size, size))
        document.render(canvas)
    return pixels[..., :3].copy()


def _paint_labels(root: Element) -> tuple[Element, dict[int, int]]:
    """A copy of the picture with each opaque shape in a colour of its own, and {colour: label}."""
    root = copy.deepcopy(root)
    shapes = _shapes(root)
    for element in root.iter():
        for attribute in ("filter", "opacity", "mix-blend-mode"):
            element.attrib.pop(attribute, None)
    colours = {}
    for label, (element, fill, stroke, is_shading) in enumerate(shapes, start=1):
        if is_shading:
            element.set("display", "none")
            continue
        colour = (label * 0x9E3779B1 >> 8) & 0xFFFFFF or 1  # far apart for neighbours in document order
        colours[colour] = label
        for attribute in ("fill-opacity", "stroke-opacity"):
            element.attrib.pop(attribute, None)
        element.set("fill", "none" if fill == "none" else f"#{colour:06x}")
        if stroke not in (None, "none"):
            element.set("stroke", f"#{colour:06x}")
    return root, colours


def _read_labels(picture: np.ndarray, colours: dict[int, int]) -> np.ndarray:
    """Label map from the label-coloured render; blended pixels take the nearest exact one's label."""
    value = picture.astype(np.int32) @ np.array([1 << 16, 1 << 8, 1], np.int32)
    keys = np.array(sorted({**colours, 0xFFFFFF: 0}))
    labels = np.array([{**colours, 0xFFFFFF: 0}[key] for key in keys], np.int32)
    place = np.clip(np.searchsorted(keys, value), 0, len(keys) - 1)
    return spread(labels[place], keys[place] == value)


def _shapes(root: Element) -> list[tuple[Element, str, str | None, bool]]:
    """(element, fill, stroke, is it shading?) of every drawn shape, in painting order.

    Shading is whatever is see-through, fades out in a gradient, blends, repeats an earlier outline (soft 3D art paints
    one outline several times with different gradients) or is a blurred stroke.
    """
    faintest = {
        gradient.get("id"): min((_opacity(stop, "stop-opacity") for stop in gradient.iter(SVG + "stop")), default=1.0)
        for kind in ("linearGradient", "radialGradient")
        for gradient in root.iter(SVG + kind)
    }
    found, outlines = [], set()

    def visit(
        element: Element,
        fill: str,
        stroke: str | None,
        opacity: float,
        blurred: bool,
        place: tuple[str, ...],
    ) -> None:
        if element.tag in HIDDEN_CONTAINERS:
            return
        fill, stroke = element.get("fill", fill), element.get("stroke", stroke)
        opacity *= _opacity(element, "opacity")
        blurred = blurred or element.get("filter", "none") != "none"
        place += (element.get("transform", ""),)
        if element.tag in SHAPES:
            geometry = {name: value for name, value in element.attrib.items() if name not in PAINT}
            outline = (element.tag, place, tuple(sorted(geometry.items())))
            gradient = re.match(r"url\(#([^)]+)\)", fill)
            is_shading = (
                opacity * _opacity(element, "fill-opacity") < OPAQUE
                or "mix-blend-mode" in element.attrib
                or (gradient is not None and faintest.get(gradient[1], 1) < OPAQUE)
                or outline in outlines
                or (blurred and fill == "none")
            )
            outlines.add(outline)
            found.append((element, fill, stroke, is_shading))
            return
        for child in element:
            visit(child, fill, stroke, opacity, blurred, place)

    visit(root, "black", None, 1.0, False, ())
    return found


def _opacity(element: Element, name: str) -> float:
    try:
        return min(float(element.get(name) or 1), 1.0)
    except ValueError:
        return 1.0
