"""Colours as browsers show them: cICP before a profile before sRGB before gAMA and cHRM, each judged by its content."""

from __future__ import annotations

import io

import numpy as np
import pytest
from picture_parts import (
    DISPLAY_P3,
    SRGB,
    SRGB_CURVE,
    chromaticities,
    chunk,
    cicp,
    gamma,
    iccp,
    png,
    profile,
    segment,
    with_segments,
)
from pictures import encoded, waves
from PIL import Image, ImageCms

from paints_undo.pictures.pixels import read_picture

PICTURE = waves(48, 64)
GREY = PICTURE[..., 0].copy()
D65 = (0.3127, 0.3290)
SRGB_PLACES, P3_PLACES = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06), (0.680, 0.320, 0.265, 0.690, 0.150, 0.060)
P3_TO_SRGB = np.array([[1.2249, -0.2247, 0], [-0.0420, 1.0419, 0], [-0.0196, -0.0786, 1.0979]])
WIDE_TO_SRGB = np.array([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]])  # BT.2020
LINEAR = profile("sRGB linear", SRGB, 1.0)
P3 = profile("like sRGB, but wider", DISPLAY_P3, *SRGB_CURVE)


def stored(light: np.ndarray) -> np.ndarray:
    """Light 0..1 as sRGB 0..255 (IEC 61966-2-1)."""
    light = light.clip(0, 1)
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def light(picture: np.ndarray) -> np.ndarray:
    values = picture / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def power(exponent: float, picture: np.ndarray = PICTURE) -> np.ndarray:
    return stored((picture / 255) ** exponent)


AS_P3 = stored(light(PICTURE) @ P3_TO_SRGB.T)
AS_LINEAR = power(1)
# chunks before the pixels -> what is seen
SEEN: dict[str, tuple[list[bytes], np.ndarray]] = {
    "gAMA 1": ([gamma(1)], AS_LINEAR),
    "gAMA 0.4": ([gamma(0.4)], power(2.5)),
    "gAMA of sRGB, near enough": ([gamma(0.47)], PICTURE),
    "gAMA of nothing": ([gamma(0)], PICTURE),
    "gAMA and cHRM": ([gamma(0.4), chromaticities(*D65, *SRGB_PLACES)], power(2.5)),
    "gAMA and another cHRM": (
        [gamma(1), chromaticities(*D65, *P3_PLACES)],
        stored((PICTURE / 255) @ P3_TO_SRGB.T),
    ),
    "gAMA and a cHRM of zeros": ([gamma(1), chunk(b"cHRM", bytes(32))], AS_LINEAR),
    "cHRM alone": ([chromaticities(*D65, *P3_PLACES)], PICTURE),
    "sRGB before gAMA": ([gamma(1), chunk(b"sRGB", b"\0")], PICTURE),
    "no sRGB, then gAMA": ([chunk(b"sRGB", b"\x09"), gamma(1)], AS_LINEAR),
    "a linear profile": ([iccp(LINEAR)], AS_LINEAR),
    "a profile of P3": ([iccp(P3)], AS_P3),
    "a large profile": ([iccp(profile("P3", DISPLAY_P3, *SRGB_CURVE, more=2_000_000))], AS_P3),
    "sRGB by another name": ([iccp(profile("mine", SRGB, *SRGB_CURVE))], PICTURE),
    "the sRGB of Pillow": ([iccp(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())], PICTURE),
    "a profile before sRGB and gAMA": ([chunk(b"sRGB", b"\0"), gamma(0.1), iccp(LINEAR)], AS_LINEAR),
    "a broken profile, then gAMA": ([chunk(b"iCCP", b"p\0\0broken"), gamma(1)], AS_LINEAR),
    "no profile, then gAMA": ([iccp(bytes(300)), gamma(1)], AS_LINEAR),
    "a profile of grey": ([iccp(profile("grey", None, 1.0)), gamma(1)], PICTURE),
    "cICP of P3": ([cicp(12, 13)], AS_P3),
    "cICP of linear light": ([cicp(1, 8)], AS_LINEAR),
    "cICP of video": ([cicp(1, 1)], power(2.4)),
    "cICP of wide video": ([cicp(9, 14)], stored((PICTURE / 255) ** 2.4 @ WIDE_TO_SRGB.T)),
    "cICP before all others": ([gamma(0.1), iccp(LINEAR), chunk(b"sRGB", b"\0"), cicp(12, 13)], AS_P3),
    "cICP that is not specified, then gAMA": ([cicp(2, 2), gamma(1)], AS_LINEAR),
    "cICP of a narrow range, then gAMA": ([cicp(12, 13, full=0), gamma(1)], AS_LINEAR),
    "cICP with a wrong checksum, then gAMA": ([chunk(b"cICP", bytes([12, 13, 0, 1]), crc=3), gamma(1)], AS_LINEAR),
}


@pytest.mark.parametrize("kind", SEEN)
def test_colours_of_a_png(kind: str) -> None:
    chunks, seen = SEEN[kind]
    pixels = read_picture(png(PICTURE, *chunks))
    assert np.abs(pixels - seen).max() < 2
    if seen is PICTURE:
        np.testing.assert_array_equal(pixels, PICTURE)


GREYS = {
    "gAMA": gamma(1),
    "a profile of grey": iccp(profile("grey", None, 1.0)),
    "a profile of colours": iccp(LINEAR),
    "cICP": cicp(1, 8),
}


@pytest.mark.parametrize("kind", GREYS)
def test_colours_of_a_grey_png(kind: str) -> None:
    """Also in the dark, where a step of linear light is thirteen levels."""
    ramp = np.arange(256, dtype=np.uint8)[None].repeat(40, 0)
    pixels = read_picture(png(ramp, GREYS[kind]))
    assert np.abs(pixels - power(1, ramp)[..., None]).max() < 2
    deep = read_picture(png(ramp.astype(np.uint16) * 257, GREYS[kind], depth=16))
    np.testing.assert_array_equal(deep, pixels)


def test_colours_of_other_kinds_of_png() -> None:
    np.testing.assert_array_equal(
        read_picture(png(PICTURE.astype(np.uint16) * 257, gamma(1), depth=16)), read_picture(png(PICTURE, gamma(1)))
    )
    alpha = np.full((48, 64, 1), 128, np.uint8)
    for said in (gamma(1), iccp(LINEAR)):
        veiled = read_picture(png(np.dstack([PICTURE, alpha]), said))
        assert np.abs(veiled - (AS_LINEAR * 128 + 255 * 127) / 255).max() < 2
    indices = (np.arange(64) % 4)[None].repeat(40, 0).astype(np.uint8)
    colours = np.arange(0, 240, 20).reshape(4, 3)
    palette = chunk(b"PLTE", colours.astype(np.uint8).tobytes())
    for before in ([iccp(LINEAR), palette], [palette, iccp(LINEAR)]):
        pixels = read_picture(png(indices, *before, depth=2, colour=3))
        assert np.abs(pixels - power(1, colours)[indices]).max() < 2


@pytest.mark.parametrize("transfer", [16, 18])
def test_high_dynamic_range_keeps_its_order_and_its_hues(transfer: int) -> None:
    ramp = np.arange(256, dtype=np.uint8)[None, :, None].repeat(40, 0).repeat(3, 2)
    pixels = read_picture(png(ramp, cicp(9, transfer)))[0].astype(int)
    assert (np.diff(pixels[:, 0]) >= 0).all() and pixels[0, 0] == 0 and pixels[255, 0] == 255
    assert np.ptp(pixels, axis=1).max() <= 1
    seen = {16: [30, 132, 255], 18: [43, 99, 189]}[transfer]  # as Chromium 156 shows 64, 128 and 192
    assert np.abs(pixels[[64, 128, 192], 0] - seen).max() <= 2
    red = np.zeros((40, 64, 3), np.uint8)
    red[..., 0] = np.arange(64) * 4
    assert (np.diff(read_picture(png(red, cicp(1, transfer)))[0, :, 1].astype(int)) <= 2).all()


class TestOtherFormats:
    def jpeg(self, icc: bytes, mode: str = "RGB") -> bytes:
        return encoded(Image.fromarray(PICTURE).convert(mode), "JPEG", quality=95, icc_profile=icc)

    @pytest.mark.parametrize("icc", [LINEAR, profile("big", SRGB, 1.0, more=150_000)])
    def test_jpeg(self, icc: bytes) -> None:
        plain = read_picture(self.jpeg(b""))
        assert np.abs(read_picture(self.jpeg(icc)) - power(1, plain)).max() < 2

    @pytest.mark.parametrize("icc", [LINEAR, profile("grey", None, 1.0)])
    def test_grey_jpeg(self, icc: bytes) -> None:
        plain = read_picture(self.jpeg(b"", "L"))
        assert np.abs(read_picture(self.jpeg(icc, "L")) - power(1, plain)).max() < 2

    def test_jpeg_whose_profile_is_not_whole(self) -> None:
        plain, icc = self.jpeg(b""), profile("big", SRGB, 1.0, more=100_000)
        parts = [segment(0xE2, b"ICC_PROFILE\0" + bytes([n, 2]) + icc[60_000 * (n - 1) : 60_000 * n]) for n in (1, 2)]
        np.testing.assert_array_equal(read_picture(with_segments(plain, parts[0])), read_picture(plain))
        in_any_order = with_segments(plain, *reversed(parts))
        assert np.abs(read_picture(in_any_order) - power(1, read_picture(plain))).max() < 2

    def test_webp(self) -> None:
        data = encoded(Image.fromarray(PICTURE), "WEBP", lossless=True, icc_profile=P3)
        assert np.abs(read_picture(data) - AS_P3).max() < 2

    @pytest.mark.parametrize("chunks", [[gamma(1)], [iccp(P3)], [gamma(1), chunk(b"sRGB", b"\0")]])
    def test_an_image_that_pillow_decoded(self, chunks: list[bytes]) -> None:
        data = png(PICTURE, *chunks)
        image = Image.open(io.BytesIO(data))
        image.load()
        np.testing.assert_array_equal(read_picture(image), read_picture(data))

    def test_names_in_texts_are_no_profiles(self) -> None:
        """Pillow puts a text under its keyword beside what it has read itself."""
        data = png(
            PICTURE, *(chunk(b"tEXt", name + b"\0text") for name in (b"icc_profile", b"exif", b"gamma", b"cicp"))
        )
        image = Image.open(io.BytesIO(data))
        image.load()
        for source in (data, image):
            np.testing.assert_array_equal(read_picture(source), PICTURE)
