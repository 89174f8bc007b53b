"""Pictures as arrays: every door they come in by, the sizes and the numbers the networks expect of them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from pictures import encoded, noise, refusal, waves
from PIL import Image
from safetensors.numpy import load_file

from paints_undo.errors import InputError
from paints_undo.pictures.fit import crop_to, nearest_bucket, size_like
from paints_undo.pictures.pixels import encode_png, read_picture
from paints_undo.pictures.tensors import pixels_to_tensor, pixels_to_unit, tensor_to_pixels, unit_to_pixels

DATA = Path(__file__).parent / "data"


class TestReadPictureSources:
    picture = noise(40, 56, 3)

    def test_bytes_paths_images_and_arrays_give_the_same_pixels(self, tmp_path: Path) -> None:
        data = encoded(Image.fromarray(self.picture), "PNG")
        path = tmp_path / "日本 $(x).jpg"  # the content decides, not the extension
        path.write_bytes(data)
        sources: tuple[Any, ...] = (
            data,
            bytearray(data),
            memoryview(data),
            path,
            str(path),
            Image.fromarray(self.picture),
            self.picture,
        )
        for source in sources:
            pixels = read_picture(source)
            assert pixels.dtype == np.uint8 and pixels.flags.c_contiguous and pixels.flags.writeable
            np.testing.assert_array_equal(pixels, self.picture)

    def test_the_result_shares_no_memory_with_the_array_given(self) -> None:
        assert not np.shares_memory(read_picture(self.picture), self.picture)

    @pytest.mark.parametrize("file_format", ["JPEG", "TIFF"])
    def test_an_image_that_pillow_opened(self, file_format: str) -> None:
        data = encoded(Image.fromarray(waves(64, 96)), file_format)
        image = Image.open(io.BytesIO(data))
        pixels = read_picture(image)
        np.testing.assert_array_equal(pixels, np.asarray(image))  # which is still of use to its owner
        np.testing.assert_array_equal(read_picture(image), pixels)

    def test_non_contiguous_array(self) -> None:
        view = self.picture[::-1, :, ::-1]
        np.testing.assert_array_equal(read_picture(view), view)

    @pytest.mark.parametrize("shape", [(40, 56), (40, 56, 1)])
    def test_grey_arrays(self, shape: tuple[int, ...]) -> None:
        grey = noise(*shape)
        np.testing.assert_array_equal(read_picture(grey), np.repeat(grey.reshape(40, 56, 1), 3, axis=2))

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

    def test_pixels_are_clipped_and_truncated(self) -> None:
        values = torch.tensor([-3.0, -1.0, 0.0, 0.99, 1.0, 7.0]).reshape(1, 1, 1, 6).expand(1, 3, 1, 6)
        pixels = tensor_to_pixels(values)
        assert pixels.shape == (1, 1, 6, 3) and pixels.dtype == np.uint8
        assert pixels[0, 0, :, 0].tolist() == [0, 0, 127, 253, 255, 255]

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
