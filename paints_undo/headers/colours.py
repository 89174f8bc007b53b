"""Colours of a file turned into sRGB, from what the file says about them: cICP, a profile, sRGB, or gAMA and cHRM.

The order is that of PNG (3rd edition, 13.13). Numbers: ITU-T H.273 (cICP), IEC 61966-2-1 (sRGB), Bradford's adaptation.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np
from PIL import Image, ImageCms

log = logging.getLogger(__name__)

Curve = Callable[[np.ndarray], np.ndarray]  # stored values 0..1 -> light 0..1

SAME = 2  # levels by which a profile may differ from sRGB and still be a way of writing sRGB
_SRGB_GAMMA, _NEAR = 0.45455, 0.05  # gAMA of sRGB, and how near to it a file means sRGB (libpng's threshold)
_GAMMAS = (0.05, 20)  # beyond these a picture would be black or white
_D65, _C, _DCI, _EQUAL = (0.3127, 0.3290), (0.310, 0.316), (0.314, 0.351), (1 / 3, 1 / 3)
# H.273, table 2: x and y of white, red, green and blue
_SRGB_PRIMARIES = (*_D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
_SMPTE_C = (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070)
_PRIMARIES = {
    1: _SRGB_PRIMARIES,
    4: (*_C, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08),
    5: (*_D65, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06),
    6: _SMPTE_C,
    7: _SMPTE_C,
    8: (*_C, 0.681, 0.319, 0.243, 0.692, 0.145, 0.049),
    9: (*_D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    10: (*_EQUAL, 1, 0, 0, 1, 0, 0),
    11: (*_DCI, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    12: (*_D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    22: (*_D65, 0.630, 0.340, 0.295, 0.605, 0.155, 0.077),
}


@dataclass(frozen=True)
class Space:
    """A colour space given by numbers."""

    curve: Curve
    to_srgb: Curve | None = None  # its light (..., 3) -> that of sRGB; None where both are the same


def colours_of(info: Mapping[Any, Any]) -> Space | ImageCms.ImageCmsProfile | None:
    """What a picture's colours are, from Pillow's names for what its file says; None: sRGB."""
    space = _by_code(info.get("cicp"))
    if space:
        return space
    profile = info.get("icc_profile")
    if isinstance(profile, bytes) and profile:
        try:
            return ImageCms.ImageCmsProfile(io.BytesIO(profile))
        except (ImageCms.PyCMSError, ImportError, OSError, TypeError, ValueError) as error:
            log.info("the colour profile is ignored: %s", error)
    return None if "srgb" in info else _by_gamma(info.get("gamma"), info.get("chromaticity"))


def to_srgb(image: Image.Image, colours: Space | ImageCms.ImageCmsProfile | None) -> np.ndarray:
    """Return uint8 (H, W, 3) in sRGB from an image (L, RGB or CMYK) of these colours; those of others are ignored."""
    if isinstance(colours, ImageCms.ImageCmsProfile):
        try:
            return _managed(image, colours)
        except (ImageCms.PyCMSError, OSError, TypeError, ValueError) as error:
            log.info("the colour profile is ignored: %s", error)
    elif colours and image.mode != "CMYK":
        return _through(np.asarray(image), colours)
    return np.asarray(image.convert("RGB"))


def _managed(image: Image.Image, profile: ImageCms.ImageCmsProfile) -> np.ndarray:
    kind = profile.profile.xcolor_space.strip()
    if kind == "GRAY" and image.mode == "L":
        # The profile sees the 256 values alone, and exactly: its quick way with grey pictures is wrong in the dark.
        ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
        table = np.asarray(_converted(ramp, profile, ImageCms.Flags.NOOPTIMIZE))[0]
        return table[np.asarray(image)]
    image = image.convert("RGB") if kind == "RGB" and image.mode == "L" else image
    if kind != image.mode or (kind == "RGB" and _is_srgb(profile)):
        return np.asarray(image.convert("RGB"))
    return np.asarray(_converted(image, profile))


def _is_srgb(profile: ImageCms.ImageCmsProfile) -> bool:
    """Whether a profile changes nothing but rounding, whatever it is called: 729 colours and 256 greys tell."""
    steps = np.linspace(0, 255, 9).round().astype(np.uint8)
    colours = np.stack(np.meshgrid(steps, steps, steps), -1).reshape(1, -1, 3)
    probe = np.concatenate([colours, np.arange(256, dtype=np.uint8)[None, :, None].repeat(3, 2)], 1)
    seen = np.asarray(_converted(Image.fromarray(probe), profile))
    return bool(np.abs(seen.astype(int) - probe).max() <= SAME)


def _converted(image: Image.Image, profile: ImageCms.ImageCmsProfile, flags: int = 0) -> Image.Image:
    target = ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(image, profile, target, outputMode="RGB", flags=ImageCms.Flags(flags))
    return converted or image  # which is changed where nothing comes back


def _through(values: np.ndarray, space: Space) -> np.ndarray:
    """Return uint8 (H, W, 3) from uint8 (H, W) or (H, W, 3)."""
    light = space.curve(np.arange(256) / 255).astype(np.float32)
    values = values if values.ndim == 3 else np.broadcast_to(values[..., None], (*values.shape, 3))
    if space.to_srgb is None:
        return _encoded(light)[values]
    pixels = np.empty(values.shape, np.uint8)
    for top in range(0, len(values), 256):  # in bands, for memory's sake
        pixels[top : top + 256] = _encoded(space.to_srgb(light[values[top : top + 256]]))
    return pixels


def _encoded(light: np.ndarray) -> np.ndarray:
    """Light 0..1 as sRGB 0..255."""
    return _encoding()[(light.clip(0, 1) * 65535 + 0.5).astype(np.uint16)]


@lru_cache(1)
def _encoding() -> np.ndarray:
    light = np.linspace(0, 1, 65536)
    return np.round(255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)).astype("u1")


def _by_gamma(gamma: Any, chromaticity: Any) -> Space | None:
    if not isinstance(gamma, float) or not _GAMMAS[0] <= gamma <= _GAMMAS[1]:
        return None
    matrix = None
    try:
        matrix = _matrix(chromaticity)
    except (np.linalg.LinAlgError, TypeError, ValueError, ZeroDivisionError):
        if abs(gamma / _SRGB_GAMMA - 1) <= _NEAR:
            return None
    return Space(lambda stored: stored ** (1 / gamma), _change(matrix))


def _by_code(code: Any) -> Space | None:
    """The space of a cICP chunk, as far as pictures in RGB with the full range use it."""
    if not isinstance(code, bytes) or len(code) != 4:
        return None
    primaries, transfer, matrix, full = code
    if primaries not in _PRIMARIES or transfer not in _CURVES or matrix != 0 or full != 1:
        return None
    places = _PRIMARIES[primaries]
    if transfer in (_PQ, _HLG):
        return Space(_CURVES[transfer], partial(_toned, _to_xyz(places), transfer == _HLG))
    return Space(_CURVES[transfer], _change(_matrix(places)))


def _change(matrix: np.ndarray | None) -> Curve | None:
    if matrix is None or np.abs(matrix - np.eye(3)).max() < 0.002:
        return None
    return lambda light: light @ matrix.T.astype(np.float32)


def _toned(to_xyz: np.ndarray, scene: bool, light: np.ndarray) -> np.ndarray:
    """Light of a high dynamic range (1: reference white) as a screen without one shows it.

    The brightest of red, green and blue says how much darker a colour becomes (BT.2020's, whatever the picture's), so
    that hues stay. scene: the light is HLG's, of the scene; a display of 1000 cd/m2 shows it (BT.2100, table 5).
    """
    if scene:
        light = light * (_PEAK * (light @ to_xyz[1]).clip(0)[..., None] ** 0.2)
    wide = light @ (np.linalg.solve(_to_xyz(_PRIMARIES[9]), to_xyz)).T
    brightest = wide.max(-1, keepdims=True).clip(1e-6)
    wide *= np.interp(brightest, *_TONES) / brightest
    return wide @ _matrix(_PRIMARIES[9]).T


def _matrix(chromaticity: tuple[float, ...]) -> np.ndarray:
    """Light in these primaries -> light in sRGB's, its white adapted."""
    if len(chromaticity) != 8:
        raise ValueError("eight numbers say where primaries are")
    matrix = np.linalg.inv(_to_xyz(_SRGB_PRIMARIES)) @ _to_xyz(chromaticity)
    if not np.isfinite(matrix).all():
        raise ValueError("primaries on one line")
    return matrix


def _to_xyz(chromaticity: tuple[float, ...]) -> np.ndarray:
    """(3, 3): light in these primaries -> CIE XYZ under D65."""
    points = np.reshape(chromaticity, (4, 2))
    if (points[:, 1] <= 0).any() and chromaticity != _PRIMARIES[10]:
        raise ValueError("no light without luminance")
    xyz = np.column_stack([points, 1 - points.sum(1)])  # of white, red, green and blue
    white, daylight = xyz[0] / xyz[0, 1], np.array([_D65[0], _D65[1], 1 - sum(_D65)]) / _D65[1]
    primaries = xyz[1:].T
    primaries = primaries * np.linalg.solve(primaries, white)
    adapted = _BRADFORD @ daylight / (_BRADFORD @ white)
    return np.linalg.solve(_BRADFORD, adapted[:, None] * (_BRADFORD @ primaries))


_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def _power(exponent: float, scale: float = 1, offset: float = 0, slope: float = 1, knee: float = 0) -> Curve:
    """(scale v + offset) ** exponent, and slope v below the knee."""
    return lambda v: np.where(v < knee, slope * v, np.maximum(scale * v + offset, 0) ** exponent)


def _pq(stored: np.ndarray) -> np.ndarray:
    """SMPTE ST 2084; its reference white is 203 cd/m2 (BT.2408)."""
    root = stored ** (32 / 2523)
    return 10_000 / _WHITE * (np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (16384 / 2610)


def _hlg(stored: np.ndarray) -> np.ndarray:
    """ARIB STD-B67: light of the scene, 0..1."""
    return np.where(stored <= 0.5, stored**2 / 3, (np.exp((stored - 0.55991073) / 0.17883277) + 0.28466892) / 12)


_PQ, _HLG = 16, 18
_WHITE = 203  # cd/m2
_PEAK = 1000 / _WHITE
# light of a high dynamic range -> light on a usual screen, measured in Chromium 156
_TONES = (
    (0, 1.02, 1.16, 1.24, 1.50, 1.83, 2.24, 2.79, 3.36, 4.12, _PEAK),
    (0, 0.51, 0.565, 0.591, 0.658, 0.716, 0.776, 0.847, 0.896, 0.956, 1),
)
_VIDEO = _power(2.4)  # as screens show video (BT.1886), not the camera's curve
# H.273, table 3: transfer characteristics
_CURVES = {
    1: _VIDEO,
    4: _power(2.2),
    5: _power(2.8),
    6: _VIDEO,
    7: _power(1 / 0.45, 1 / 1.1115, 0.1115 / 1.1115, 1 / 4, 0.0913),
    8: _power(1),
    11: _VIDEO,
    13: _power(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045),
    14: _VIDEO,
    15: _VIDEO,
    _PQ: _pq,
    17: lambda stored: stored**2.6 * 52.37 / 48,
    _HLG: _hlg,
}
