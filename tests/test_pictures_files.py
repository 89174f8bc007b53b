"""Picture files of every kind a user may hand in, and those that would do harm."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from pictures import encoded, noise, on_white, refusal, waves
from PIL import Image, ImageSequence

from paints_undo.pictures.pixels import read_picture


class TestReadPictureKinds:
    def test_every_colour_and_alpha_is_composited_on_white_exactly(self) -> None:
        values = np.arange(256, dtype=np.uint8)
        colour, alpha = np.meshgrid(values, values)
        rgba = np.stack([colour, colour, colour, alpha], -1)
        image = Image.fromarray(rgba)
        for source in (rgba, image, encoded(image, "PNG"), encoded(image, "WEBP", lossless=True, exact=True)):
            np.testing.assert_array_equal(read_picture(source), on_white(rgba))

    def test_grey_with_alpha(self) -> None:
        la = noise(40, 40, 2)
        expected = on_white(la[..., [0, 0, 0, 1]])
        np.testing.assert_array_equal(read_picture(encoded(Image.fromarray(la, "LA"), "PNG")), expected)

    def test_premultiplied_modes(self) -> None:
        rgba = np.zeros((40, 40, 4), np.uint8)
        rgba[:20] = (255, 0, 0, 255)
        image = Image.fromarray(rgba)
        assert read_picture(image.convert("RGBa"))[[0, 39], 0].tolist() == [[255, 0, 0], [255, 255, 255]]
        assert read_picture(image.convert("LA").convert("La"))[[0, 39], 0].tolist() == [[76] * 3, [255] * 3]

    def test_palette_alpha_mode(self) -> None:
        rgba = noise(40, 40, 4)
        rgba[..., :3] = rgba[..., :3] // 128 * 255
        image = Image.fromarray(rgba).convert("PA")
        np.testing.assert_array_equal(read_picture(image), on_white(np.asarray(image.convert("RGBA"))))

    @pytest.mark.parametrize("channels", [1, 3, 4])
    def test_sixteen_bits_are_scaled_not_clipped(self, channels: int) -> None:
        values = noise(40, 40, channels, dtype=np.uint16)
        stored = values if channels == 1 else values[..., [2, 1, 0, 3][:channels]]  # OpenCV writes BGR(A)
        data = cv2.imencode(".png", stored)[1].tobytes()
        high = (values >> 8).astype(np.uint8)
        expected = on_white(high) if channels == 4 else np.broadcast_to(high, (40, 40, 3))
        np.testing.assert_array_equal(read_picture(data), expected)

    def test_sixteen_bit_colour_with_one_transparent_value(self) -> None:
        image = Image.new("RGB", (40, 40), (4, 5, 6))
        image.info["transparency"] = (4 << 8 | 9, 5 << 8, 6 << 8)  # as PIL reports it for 16-bit files
        assert (read_picture(image) == 255).all()

    @pytest.mark.parametrize("dtype", [np.float32, np.int32])
    def test_thirty_two_bits_are_refused(self, dtype: type) -> None:
        assert "32-bit" in refusal(Image.fromarray(np.ones((40, 40), dtype)))

    def test_cmyk(self) -> None:
        picture = waves(64, 64)
        cmyk = Image.fromarray(picture).convert("CMYK")
        pixels = read_picture(encoded(cmyk, "JPEG", quality=100))
        assert np.abs(pixels.astype(int) - picture).mean() < 4
        np.testing.assert_array_equal(read_picture(cmyk), np.asarray(cmyk.convert("RGB")))

    @pytest.mark.parametrize("mode", ["YCbCr", "HSV"])
    def test_other_colour_spaces_in_memory(self, mode: str) -> None:
        image = Image.fromarray(waves(64, 64)).convert(mode)
        np.testing.assert_array_equal(read_picture(image), np.asarray(image.convert("RGB")))

    @pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_exif_orientation_is_applied(self, file_format: str, orientation: int) -> None:
        upright = np.zeros((64, 96, 3), np.uint8)
        upright[:32, :48], upright[:32, 48:], upright[32:, :48] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
        stored = {
            1: upright,
            2: upright[:, ::-1],
            3: upright[::-1, ::-1],
            4: upright[::-1],
            5: upright.transpose(1, 0, 2),
            6: np.rot90(upright),
            7: upright[::-1, ::-1].transpose(1, 0, 2),
            8: np.rot90(upright, -1),
        }[orientation]
        exif = Image.Exif()
        exif[0x0112] = orientation
        pixels = read_picture(encoded(Image.fromarray(np.ascontiguousarray(stored)), file_format, exif=exif))
        assert pixels.shape == (64, 96, 3) and pixels.flags.c_contiguous
        centres = pixels[[16, 16, 48, 48], [24, 72, 24, 72]].astype(int)
        assert np.abs(centres - [[255, 0, 0], [0, 255, 0], [0, 0, 255], [0, 0, 0]]).max() < 12

    @pytest.mark.parametrize("file_format", ["GIF", "PNG", "WEBP"])
    def test_first_frame_of_an_animation(self, file_format: str) -> None:
        frames = [Image.new("RGB", (48, 40), colour) for colour in ((255, 0, 0), (0, 255, 0), (0, 0, 255))]
        options = {"lossless": True} if file_format == "WEBP" else {}
        data = encoded(frames[0], file_format, save_all=True, append_images=frames[1:], **options)
        assert len(list(ImageSequence.Iterator(Image.open(io.BytesIO(data))))) == 3
        assert (read_picture(data) == (255, 0, 0)).all()

    def test_gif_with_transparency(self) -> None:
        image = Image.new("P", (40, 40), 0)
        image.putpalette([10, 20, 30, 200, 100, 50])
        image.paste(1, (0, 0, 20, 40))
        pixels = read_picture(encoded(image, "GIF", transparency=0))
        assert pixels[0, 0].tolist() == [200, 100, 50] and pixels[0, 39].tolist() == [255, 255, 255]
