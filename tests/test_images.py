"""Pictures of every kind a user may hand in, and the numbers the networks expect of them."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import warnings
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image, ImageCms
from safetensors.numpy import load_file

from paints_undo.errors import InputError
from paints_undo.images import (
    crop_to,
    encode_png,
    nearest_bucket,
    pixels_to_tensor,
    pixels_to_unit,
    read_picture,
    size_like,
    tensor_to_pixels,
    unit_to_pixels,
)

DATA = Path(__file__).parent / "data"


def waves(height: int, width: int) -> np.ndarray:
    """A smooth synthetic picture."""
    x, y = np.arange(width, dtype=float)[None, :], np.arange(height, dtype=float)[:, None]
    planes = 127 + 120 * np.sin(x / 17 + y / 31), 127 + 110 * np.cos(x / 23 - y / 13), 127 + 100 * np.sin(x * y / 2000)
    return np.stack(np.broadcast_arrays(*planes), -1).clip(0, 255).astype(np.uint8)


def noise(*shape: int, dtype: type = np.uint8) -> np.ndarray:
    return np.random.default_rng(7).integers(0, np.iinfo(dtype).max + 1, shape).astype(dtype)


def encoded(image: Image.Image, file_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def on_white(rgba: np.ndarray) -> np.ndarray:
    colour, alpha = rgba[..., :3].astype(float), rgba[..., 3:].astype(float) / 255
    return np.round(colour * alpha + 255 * (1 - alpha)).astype(np.uint8)


def png_header(width: int, height: int) -> bytes:
    """A PNG file that claims a size and holds no pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    size = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + size + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def refusal(source: object) -> str:
    with pytest.raises(InputError) as caught:
        read_picture(source)
    message = str(caught.value)
    assert "\n" not in message and message
    return message


class TestReadPictureSources:
    picture = noise(40, 56, 3)

    def test_bytes_paths_images_and_arrays_give_the_same_pixels(self, tmp_path: Path) -> None:
        data = encoded(Image.fromarray(self.picture), "PNG")
        path = tmp_path / "日本 $(x).jpg"  # the content decides, not the extension
        path.write_bytes(data)
        sources = data, bytearray(data), memoryview(data), path, str(path), Image.fromarray(self.picture), self.picture
        for source in sources:
            pixels = read_picture(source)
            assert pixels.dtype == np.uint8 and pixels.flags.c_contiguous and pixels.flags.writeable
            np.testing.assert_array_equal(pixels, self.picture)

    def test_the_result_shares_no_memory_with_the_array_given(self) -> None:
        assert not np.shares_memory(read_picture(self.picture), self.picture)

    @pytest.mark.parametrize("file_format", ["PNG", "WEBP", "BMP", "TIFF"])
    def test_lossless_formats_are_exact(self, file_format: str) -> None:
        options = {"lossless": True} if file_format == "WEBP" else {}
        data = encoded(Image.fromarray(self.picture), file_format, **options)
        np.testing.assert_array_equal(read_picture(data), self.picture)

    def test_jpeg(self) -> None:
        picture = waves(64, 96)
        pixels = read_picture(encoded(Image.fromarray(picture), "JPEG", quality=95))
        assert np.abs(pixels.astype(int) - picture).mean() < 3

    def test_non_contiguous_array(self) -> None:
        view = self.picture[::-1, :, ::-1]
        np.testing.assert_array_equal(read_picture(view), view)

    @pytest.mark.parametrize("shape", [(40, 56), (40, 56, 1)])
    def test_grey_arrays(self, shape: tuple[int, ...]) -> None:
        grey = noise(*shape)
        np.testing.assert_array_equal(read_picture(grey), np.repeat(grey.reshape(40, 56, 1), 3, axis=2))

    def test_rgba_array_is_composited_on_white(self) -> None:
        rgba = noise(300, 56, 4)
        np.testing.assert_array_equal(read_picture(rgba), on_white(rgba))

    @pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint16, np.int64, bool])
    def test_other_number_types_are_refused(self, dtype: type) -> None:
        message = refusal(np.zeros((40, 40, 3), dtype))
        assert np.dtype(dtype).name in message and "uint8" in message

    @pytest.mark.parametrize("shape", [(40,), (2, 40, 40, 3), (3, 40, 40), (40, 40, 2), (40, 40, 5)])
    def test_other_array_shapes_are_refused(self, shape: tuple[int, ...]) -> None:
        assert str(shape[0]) in refusal(np.zeros(shape, np.uint8))

    @pytest.mark.parametrize("source", [None, 3, [1, 2], torch.zeros(3, 40, 40)])
    def test_other_objects_are_refused(self, source: object) -> None:
        assert type(source).__name__ in refusal(source)


class TestReadPictureKinds:
    def test_transparency_is_composited_on_white_exactly(self) -> None:
        rgba = noise(300, 64, 4)
        for data in (
            encoded(Image.fromarray(rgba), "PNG"),
            encoded(Image.fromarray(rgba), "TIFF"),
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

    @pytest.mark.parametrize("extension", [".png", ".tiff"])
    @pytest.mark.parametrize("channels", [1, 3, 4])
    def test_sixteen_bits_are_scaled_not_clipped(self, extension: str, channels: int) -> None:
        values = noise(40, 40, channels, dtype=np.uint16)
        stored = values if channels == 1 else values[..., [2, 1, 0, 3][:channels]]  # OpenCV writes BGR(A)
        data = cv2.imencode(extension, stored)[1].tobytes()
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
        data = encoded(Image.fromarray(np.ones((40, 40), dtype)), "TIFF")
        assert "32-bit" in refusal(data)

    def test_cmyk(self) -> None:
        picture = waves(64, 64)
        cmyk = Image.fromarray(picture).convert("CMYK")
        pixels = read_picture(encoded(cmyk, "JPEG", quality=100))
        assert np.abs(pixels.astype(int) - picture).mean() < 4
        np.testing.assert_array_equal(read_picture(encoded(cmyk, "TIFF")), np.asarray(cmyk.convert("RGB")))

    @pytest.mark.parametrize("mode", ["YCbCr", "HSV"])
    def test_other_colour_spaces_in_memory(self, mode: str) -> None:
        image = Image.fromarray(waves(64, 64)).convert(mode)
        np.testing.assert_array_equal(read_picture(image), np.asarray(image.convert("RGB")))

    @pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF"])
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

    @pytest.mark.parametrize("file_format", ["GIF", "PNG", "WEBP", "TIFF"])
    def test_first_frame_of_an_animation(self, file_format: str) -> None:
        frames = [Image.new("RGB", (48, 40), colour) for colour in ((255, 0, 0), (0, 255, 0), (0, 0, 255))]
        options = {"lossless": True} if file_format == "WEBP" else {}
        data = encoded(frames[0], file_format, save_all=True, append_images=frames[1:], **options)
        assert Image.open(io.BytesIO(data)).n_frames == 3
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
        data = self.profile("TIFF", icc=self.swapped_profile(), mode=mode)
        np.testing.assert_array_equal(read_picture(data), expected)


class TestBadFiles:
    @pytest.mark.parametrize("content", [b"", b"hello", b"<svg xmlns='http://www.w3.org/2000/svg'/>", bytes(10_000)])
    def test_no_picture(self, content: bytes, tmp_path: Path) -> None:
        path = tmp_path / "upload.png"
        path.write_bytes(content)
        for source in (content, path):
            assert "use a PNG, JPEG, WebP, GIF, BMP or TIFF file" in refusal(source)
        assert "upload.png" in refusal(path) and str(tmp_path) not in refusal(path)

    @pytest.mark.parametrize("file_format", ["ICO", "PPM", "TGA", "PCX"])
    def test_other_formats(self, file_format: str) -> None:
        assert "not a readable picture" in refusal(encoded(Image.new("RGB", (64, 64)), file_format))

    @pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
    @pytest.mark.parametrize("part", [0.01, 0.5, 0.9])
    def test_truncated(self, file_format: str, part: float) -> None:
        data = encoded(Image.fromarray(noise(200, 200, 3)), file_format)
        message = refusal(data[: int(len(data) * part)])
        assert "damaged" in message or "not a readable picture" in message

    def test_flipped_bits_never_escape_as_another_error(self) -> None:
        rng = np.random.default_rng(3)
        for file_format in ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"):
            data = encoded(Image.fromarray(waves(48, 48)), file_format)
            for _ in range(40):
                broken = bytearray(data)
                for position in rng.integers(0, len(data), 3):
                    broken[position] ^= 1 << int(rng.integers(8))
                try:
                    pixels = read_picture(bytes(broken))
                except InputError:
                    continue
                assert pixels.dtype == np.uint8 and pixels.shape[2] == 3

    def test_missing_file_and_folder(self, tmp_path: Path) -> None:
        assert "no.png is not a file" in refusal(tmp_path / "no.png")
        assert "is not a file" in refusal(tmp_path)
        assert "is not a file" in refusal("")
        assert "check the path" in refusal("x" * 5000)

    @pytest.mark.parametrize(
        ("size", "word"),
        [
            ((1, 1), "too small"),
            ((1, 4000), "too small"),
            ((31, 64), "too small"),
            ((32, 257), "too narrow"),
            ((20_000, 40), "too narrow"),
            ((20_000, 3201), "too large"),
            ((8001, 8000), "too large"),
        ],
    )
    def test_sizes_are_refused_from_the_header(self, size: tuple[int, int], word: str) -> None:
        message = refusal(png_header(*size))
        assert word in message and f"{size[0]} x {size[1]} pixels" in message

    def test_sizes_at_the_limits_are_read(self) -> None:
        assert read_picture(encoded(Image.new("1", (32, 256)), "PNG")).shape == (256, 32, 3)
        for size in ((8000, 8000), (20_000, 3200)):  # past the header: only the missing pixels are complained about
            assert "damaged" in refusal(png_header(*size))

    @pytest.mark.parametrize("shape", [(1, 1, 3), (40, 4000, 3), (0, 40, 3), (31, 40)])
    def test_arrays_and_images_keep_the_same_limits(self, shape: tuple[int, ...]) -> None:
        assert "too " in refusal(np.zeros(shape, np.uint8))
        if 0 not in shape:
            assert "too " in refusal(Image.fromarray(np.zeros(shape, np.uint8)))

    @pytest.mark.parametrize("side", [9_500, 13_000, 20_000, 60_000])
    def test_a_decompression_bomb_gives_one_sentence_and_no_warning(self, side: int) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert "64 megapixels" in refusal(png_header(side, side))

    def test_a_decompression_bomb_takes_no_memory(self) -> None:
        pytest.importorskip("resource")  # absent on Windows
        program = (
            "import io, resource\n"
            "from PIL import Image\n"
            "from paints_undo.errors import InputError\n"
            "from paints_undo.images import read_picture\n"
            "with open(0, 'rb') as file: data = file.read()\n"
            "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
            "try: read_picture(data)\n"
            "except InputError: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
        )
        bomb = encoded(Image.new("1", (13_000, 13_000)), "PNG")
        assert len(bomb) < 30_000
        done = subprocess.run([sys.executable, "-c", program], input=bomb, capture_output=True, check=True)
        unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss counts bytes on macOS, kilobytes elsewhere
        assert int(done.stdout) * unit < 30 * 2**20
        assert done.stderr == b""


class TestCropTo:
    def test_the_recorded_crop_is_reproduced_exactly(self) -> None:
        recorded = load_file(DATA / "end_to_end" / "expected.safetensors")
        np.testing.assert_array_equal(crop_to(recorded["image"], width=96, height=64), recorded["keyframes"][0])

    def test_half_of_an_odd_surplus_is_cut_left_and_top(self) -> None:
        picture = noise(64, 67, 3)
        np.testing.assert_array_equal(crop_to(picture, 64, 64), picture[:, 1:65])
        picture = noise(67, 64, 3)
        np.testing.assert_array_equal(crop_to(picture, 64, 64), picture[1:65])

    def test_the_same_size_changes_nothing(self) -> None:
        picture = noise(48, 80, 3)
        np.testing.assert_array_equal(crop_to(picture, 80, 48), picture)

    def test_enlarging_uses_area_interpolation_too(self) -> None:
        picture = noise(32, 40, 3)
        expected = cv2.resize(picture, (100, 80), interpolation=cv2.INTER_AREA)[:, 10:90]
        np.testing.assert_array_equal(crop_to(picture, 80, 80), expected)

    def test_every_size_is_hit(self) -> None:
        rng = np.random.default_rng(1)
        for height, width, new_height, new_width in rng.integers(32, 300, (200, 4)):
            cropped = crop_to(np.zeros((height, width, 3), np.uint8), int(new_width), int(new_height))
            assert cropped.shape == (new_height, new_width, 3) and cropped.flags.c_contiguous

    @pytest.mark.parametrize("size", [(0, 64), (64, -1)])
    def test_impossible_sizes(self, size: tuple[int, int]) -> None:
        with pytest.raises(InputError, match="at least 1"):
            crop_to(noise(64, 64, 3), *size)


class TestNearestBucket:
    published = ((320, 512), (384, 448), (448, 384), (512, 320))

    @pytest.mark.parametrize(
        ("size", "bucket"),
        [
            ((640, 512), (448, 384)),
            ((512, 640), (384, 448)),
            ((100, 300), (320, 512)),
            ((300, 100), (512, 320)),
            ((500, 500), (448, 384)),  # a square ties between two buckets: the later one
        ],
    )
    def test_published_buckets(self, size: tuple[int, int], bucket: tuple[int, int]) -> None:
        assert nearest_bucket(*size, self.published) == bucket

    def test_lists_from_a_file_are_accepted(self) -> None:
        assert nearest_bucket(64, 96, [[64, 128], [96, 96], [128, 64]]) == (64, 128)

    def test_ties_go_to_the_later(self) -> None:
        assert nearest_bucket(64, 64, [(32, 32), (64, 64), (16, 16)]) == (16, 16)

    def test_no_sizes(self) -> None:
        with pytest.raises(InputError, match="sizes"):
            nearest_bucket(64, 64, [])


class TestTensors:
    def test_values_and_layout(self) -> None:
        pictures = noise(2, 32, 48, 3)
        tensor = pixels_to_tensor(pictures)
        assert tensor.dtype == torch.float32 and tensor.shape == (2, 3, 32, 48) and tensor.is_contiguous()
        expected = np.moveaxis(pictures.astype(np.float32) / 127.5 - 1.0, -1, 1)
        np.testing.assert_array_equal(tensor.numpy(), expected)

    def test_one_picture_and_the_ends_of_the_range(self) -> None:
        picture = np.zeros((32, 32, 3), np.uint8)
        picture[16:] = 255
        tensor = pixels_to_tensor(picture)
        assert tensor.shape == (1, 3, 32, 32)
        assert tensor.min().item() == -1 and tensor.max().item() == 1

    @pytest.mark.parametrize(
        "pictures", [np.zeros((2, 32, 32, 3), np.float32), np.zeros((32, 32), np.uint8), np.zeros((1, 3, 32, 32), "u1")]
    )
    def test_other_arrays_are_refused(self, pictures: np.ndarray) -> None:
        with pytest.raises(InputError, match="uint8"):
            pixels_to_tensor(pictures)

    def test_pixels_are_clipped_and_truncated(self) -> None:
        values = torch.tensor([-3.0, -1.0, 0.0, 0.99, 1.0, 7.0]).reshape(1, 1, 1, 6).expand(1, 3, 1, 6)
        pixels = tensor_to_pixels(values)
        assert pixels.shape == (1, 1, 6, 3) and pixels.dtype == np.uint8
        assert pixels[0, 0, :, 0].tolist() == [0, 0, 127, 253, 255, 255]

    def test_truncation_agrees_with_numpy(self) -> None:
        values = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
        expected = (values.numpy() * np.float32(127.5) + np.float32(127.5)).clip(0, 255).astype(np.uint8)
        np.testing.assert_array_equal(tensor_to_pixels(values), np.moveaxis(expected, 1, -1))

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
    def test_half_precision_is_widened_before_scaling(self, dtype: torch.dtype) -> None:
        values = torch.linspace(-1, 1, 96).reshape(1, 3, 4, 8).to(dtype)
        np.testing.assert_array_equal(tensor_to_pixels(values), tensor_to_pixels(values.float()))

    @pytest.mark.parametrize("value", [float("nan"), float("inf")])
    def test_values_that_are_not_finite_are_an_error(self, value: float) -> None:
        values = torch.zeros(1, 3, 2, 2)
        values[0, 1, 1, 0] = value
        with pytest.raises(FloatingPointError, match="1 of 12"):
            tensor_to_pixels(values)


def test_png_round_trip() -> None:
    picture = noise(40, 56, 3)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(encode_png(picture)))), picture)
    np.testing.assert_array_equal(read_picture(encode_png(picture)), picture)


@pytest.mark.parametrize(
    ("shape", "size"),
    [((640, 512), (512, 640)), ((500, 500), (576, 576)), ((1000, 4000), (1152, 256)), ((4000, 500), (192, 1600))],
)
def test_size_like(shape, size):
    assert size_like(*shape, area=512 * 640, multiple=64) == size


def test_size_like_is_never_nothing():
    assert size_like(10, 80, area=64 * 64, multiple=64) == (192, 64)


def test_pictures_of_other_programs_come_back():
    pixels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, axis=3)
    unit = pixels_to_unit(pixels)
    assert unit.dtype == torch.float32 and (float(unit.min()), float(unit.max())) == (0, 1)
    np.testing.assert_array_equal(unit_to_pixels(unit), pixels)
    np.testing.assert_array_equal(unit_to_pixels(np.array([-1.0, 0.5, 2.0])), [0, 128, 255])
    with pytest.raises(InputError, match="not finite"):
        unit_to_pixels(torch.tensor([torch.nan]))
