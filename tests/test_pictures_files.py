"""Picture files of every kind a user may hand in, and those that would do harm."""

from __future__ import annotations

import io
import struct
import warnings

import cv2
import numpy as np
import pytest
from pictures import encoded, noise, on_white, refusal, waves
from PIL import Image, ImageCms, ImageSequence

from paints_undo.pictures.pixels import read_picture


class TestReadPictureKinds:
    def test_transparency_is_composited_on_white_exactly(self) -> None:
        rgba = noise(300, 64, 4)
        for data in (
            encoded(Image.fromarray(rgba), "PNG"),
            encoded(Image.fromarray(rgba), "WEBP", lossless=True, exact=True),
        ):
            np.testing.assert_array_equal(read_picture(data), on_white(rgba))

    def test_every_colour_and_alpha(self) -> None:
        values = np.arange(256, dtype=np.uint8)
        colour, alpha = np.meshgrid(values, values)
        rgba = np.stack([colour, colour, colour, alpha], -1)
        np.testing.assert_array_equal(read_picture(Image.fromarray(rgba)), on_white(rgba))

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

    def test_palette(self) -> None:
        image = Image.fromarray(waves(64, 64)).quantize(16)
        np.testing.assert_array_equal(read_picture(encoded(image, "PNG")), np.asarray(image.convert("RGB")))

    @pytest.mark.parametrize("transparency", [3, bytes(range(0, 160, 10))])
    def test_palette_with_transparency(self, transparency: int | bytes) -> None:
        image = Image.fromarray(waves(64, 64)).quantize(16)
        pixels = read_picture(encoded(image, "PNG", transparency=transparency))
        indices, colours = np.asarray(image), np.asarray(image.convert("RGB"))
        table = np.full(256, 255, np.uint8)
        if isinstance(transparency, int):
            table[transparency] = 0
        else:
            table[: len(transparency)] = list(transparency)
        assert 0 in table[indices]
        np.testing.assert_array_equal(pixels, on_white(np.dstack([colours, table[indices]])))

    def test_palette_alpha_mode(self) -> None:
        rgba = noise(40, 40, 4)
        rgba[..., :3] = rgba[..., :3] // 128 * 255
        image = Image.fromarray(rgba).convert("PA")
        np.testing.assert_array_equal(read_picture(image), on_white(np.asarray(image.convert("RGBA"))))

    @pytest.mark.parametrize("mode", ["1", "L", "RGB"])
    def test_one_transparent_colour(self, mode: str) -> None:
        image = Image.fromarray(waves(64, 64)).convert(mode)
        key = image.getpixel((0, 0))
        stored = {"1": 0, "L": key, "RGB": key}[mode]
        pixels = read_picture(encoded(image, "PNG", transparency=stored))
        colours = np.asarray(image.convert("RGB"))
        keyed = (colours == np.asarray(stored)).all(axis=2)
        assert keyed.any()
        np.testing.assert_array_equal(pixels, np.where(keyed[..., None], 255, colours))

    def test_one_bit_and_grey(self) -> None:
        grey = Image.fromarray(waves(64, 64)).convert("L")
        np.testing.assert_array_equal(read_picture(encoded(grey, "PNG")), np.asarray(grey.convert("RGB")))
        bits = grey.convert("1")
        pixels = read_picture(encoded(bits, "PNG"))
        assert set(np.unique(pixels)) == {0, 255}
        np.testing.assert_array_equal(pixels, np.asarray(bits.convert("RGB")))

    @pytest.mark.parametrize("channels", [1, 3, 4])
    def test_sixteen_bits_are_scaled_not_clipped(self, channels: int) -> None:
        values = noise(40, 40, channels, dtype=np.uint16)
        stored = values if channels == 1 else values[..., [2, 1, 0, 3][:channels]]  # OpenCV writes BGR(A)
        data = cv2.imencode(".png", stored)[1].tobytes()
        high = (values >> 8).astype(np.uint8)
        expected = on_white(high) if channels == 4 else np.broadcast_to(high, (40, 40, 3))
        np.testing.assert_array_equal(read_picture(data), expected)

    def test_sixteen_bit_grey_ramp_keeps_its_ends(self) -> None:
        ramp = np.linspace(0, 65535, 64 * 64).astype(np.uint16).reshape(64, 64)
        pixels = read_picture(encoded(Image.fromarray(ramp), "PNG"))
        assert pixels[0, 0].tolist() == [0, 0, 0] and pixels[-1, -1].tolist() == [255, 255, 255]
        assert abs(pixels.mean() - 127.5) < 1

    def test_sixteen_bit_grey_with_one_transparent_value(self) -> None:
        values = np.full((40, 40), 1000, np.uint16)
        values[:, :20] = 30000
        pixels = read_picture(encoded(Image.fromarray(values), "PNG", transparency=1000))
        assert pixels[0, 0].tolist() == [30000 >> 8] * 3 and pixels[0, 39].tolist() == [255] * 3

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

    def test_broken_exif_is_ignored(self) -> None:
        data = encoded(Image.fromarray(waves(64, 64)), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert read_picture(data).shape == (64, 64, 3)

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


class TestColourProfiles:
    picture = waves(64, 96)

    def profile(self, file_format: str = "PNG", icc: bytes = b"", mode: str = "RGB") -> bytes:
        return encoded(Image.fromarray(self.picture).convert(mode), file_format, icc_profile=icc)

    def swapped_profile(self) -> bytes:
        """A real RGB profile in which red and green have changed places."""
        data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
        red, green = data.index(b"rXYZ"), data.index(b"gXYZ")
        data[red : red + 4], data[green : green + 4] = b"gXYZ", b"rXYZ"
        name = data.index(b"desc", 132)
        offset, size = struct.unpack(">II", data[name + 4 : name + 12])
        text = bytes(data[offset : offset + size]).replace("sRGB".encode("utf-16-be"), "Swap".encode("utf-16-be"))
        data[offset : offset + size] = text
        return bytes(data)

    def test_srgb_changes_nothing(self) -> None:
        icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        np.testing.assert_array_equal(read_picture(self.profile(icc=icc)), self.picture)

    def test_another_profile_is_converted(self) -> None:
        pixels = read_picture(self.profile(icc=self.swapped_profile())).astype(int)
        assert np.abs(pixels - self.picture[..., [1, 0, 2]]).max() <= 2

    def test_alpha_survives_the_conversion(self) -> None:
        rgba = np.dstack([self.picture, np.zeros((64, 96), np.uint8)])
        rgba[:, :48, 3] = 255
        pixels = read_picture(encoded(Image.fromarray(rgba), "PNG", icc_profile=self.swapped_profile())).astype(int)
        assert (pixels[:, 48:] == 255).all()
        assert np.abs(pixels[:, :48] - self.picture[:, :48, [1, 0, 2]]).max() <= 2

    @pytest.mark.parametrize("icc", [b"broken", bytes(200)])
    def test_a_broken_profile_is_ignored(self, icc: bytes) -> None:
        np.testing.assert_array_equal(read_picture(self.profile(icc=icc)), self.picture)

    @pytest.mark.parametrize("mode", ["L", "CMYK"])
    def test_a_profile_of_other_colours_is_ignored(self, mode: str) -> None:
        expected = np.asarray(Image.fromarray(self.picture).convert(mode).convert("RGB"))
        pixels = read_picture(self.profile("JPEG", icc=self.swapped_profile(), mode=mode)).astype(int)
        assert np.abs(pixels - expected).mean() < 4
