"""The tagger against recorded answers, on models of other shapes, and with everything that can be wrong with it."""

from __future__ import annotations

import hashlib
import json
import logging
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pictures import waves

from wd14_tagger import DEFAULT_MODEL, MODELS, Tagger, TaggerModel, download_tagger
from wd14_tagger.tagger import prompt_spelling

DATA = Path(__file__).parent / "data" / "tagger"
EXPECTED = json.loads((DATA / "expected.json").read_text())


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    return Tagger(DATA / "model.onnx", DATA / "selected_tags.csv", providers=["CPUExecutionProvider"])


def write_tags(path: Path, rows: list[tuple[str, int]]) -> Path:
    lines = [f"{number},{name},{category},1" for number, (name, category) in enumerate(rows)]
    path.write_text("\n".join(["tag_id,name,category,count", *lines]) + "\n", encoding="utf-8")
    return path


def write_model(path: Path, size: int | str, rows: int | str, layout: str = "NHWC", batch: int | str = 1) -> Path:
    """A model whose probabilities are the mean blue, green and red (in that order: BGR) over 255."""
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper

    shape = [batch, size, size, 3] if layout == "NHWC" else [batch, 3, size, size]
    graph = helper.make_graph(
        [
            helper.make_node("Constant", [], ["axes"], value=onnx.numpy_helper.from_array(np.array([1, 2]))),
            helper.make_node("Constant", [], ["full"], value=onnx.numpy_helper.from_array(np.float32(255))),
            helper.make_node("ReduceMean", ["picture_in", "axes"], ["mean"], keepdims=0),
            helper.make_node("Div", ["mean", "full"], ["chances"]),
        ],
        "mean_colour",
        [helper.make_tensor_value_info("picture_in", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("chances", TensorProto.FLOAT, [batch, rows])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("name", EXPECTED)
def test_recorded_answers(tagger: Tagger, name: str) -> None:
    height, width, _ = EXPECTED[name]["shape"]
    picture, prompts = waves(height, width), EXPECTED[name]["prompts"]
    values = tagger.probabilities(picture)
    assert values.dtype == np.float32 and values.shape == (19,)
    np.testing.assert_allclose(values, EXPECTED[name]["probabilities"], rtol=0, atol=1e-4)
    assert tagger.prompt(picture) == prompts["0.35,0.85"]
    assert tagger.prompt(picture, 0.2, 0.5) == prompts["0.2,0.5"]
    assert tagger.prompt(picture, exclude="smile, hat") == prompts["exclude smile, hat"]
    assert tagger.tags(picture) == prompts["0.35,0.85"].split(", ")


def tagger_of(folder: Path, rows: list[tuple[str, int]], size: int | str = 16, count: int | str = 3, **more) -> Tagger:
    """A tagger of a model as above and a table of these rows."""
    model, tags = folder / "m.onnx", folder / "t.csv"
    return Tagger(write_model(model, size, count, **more), write_tags(tags, rows))


class TestTags:
    @pytest.fixture
    def three(self, tmp_path: Path) -> Tagger:
        """Probabilities in csv order: blue, green, red."""
        return tagger_of(tmp_path, [("blue_sky", 0), ("green_(series)", 4), ("red_hair", 0)])

    def picture(self, red: int, green: int, blue: int) -> np.ndarray:
        return np.full((40, 40, 3), (red, green, blue), np.uint8)

    def test_channels_are_given_as_bgr(self, three: Tagger) -> None:
        values = three.probabilities(self.picture(255, 51, 102))
        np.testing.assert_allclose(values, [0.4, 0.2, 1.0], atol=1e-6)

    def test_characters_come_first_then_csv_order_each_strictly_above_its_threshold(self, three: Tagger) -> None:
        white, half, black = (self.picture(level, level, level) for level in (255, 128, 0))
        assert three.tags(white) == [r"green \(series\)", "blue sky", "red hair"]
        assert three.tags(white, 1.0, 1.0) == []
        assert three.tags(white, 0.999, 1.0) == three.tags(half) == ["blue sky", "red hair"]
        assert three.tags(half, 0.6, 0.4) == [r"green \(series\)"]
        assert three.tags(black, 0.0, 0.0) == [] and three.prompt(black) == ""

    def test_ratings_never_appear(self, tmp_path: Path) -> None:
        tagger = tagger_of(tmp_path, [("general", 9), ("explicit", 9), ("red_hair", 0)])
        assert tagger.tags(self.picture(255, 255, 255), 0.0, 0.0) == ["red hair"]

    def test_excluded_names_are_the_csvs_own(self, three: Tagger, caplog: pytest.LogCaptureFixture) -> None:
        white = self.picture(255, 255, 255)
        assert three.tags(white, exclude=" RED_hair,, green_(series) ") == ["blue sky"]
        assert not caplog.records
        with caplog.at_level(logging.WARNING):
            assert "blue sky" in three.tags(white, exclude="blue sky")
        assert "underscores" in caplog.text

    def test_spelling(self) -> None:
        assert prompt_spelling("saber_(fate)_(alter)") == r"saber \(fate\) \(alter\)"
        assert prompt_spelling("^_^") == "^ ^"

    def test_white_border_and_centring(self, three: Tagger) -> None:
        wide = np.zeros((32, 128, 3), np.uint8)  # becomes 16 x 4 black pixels on 16 x 16 white ones
        np.testing.assert_allclose(three.probabilities(wide), 0.75, atol=1e-6)

    def test_extreme_shapes_keep_at_least_one_pixel(self, three: Tagger) -> None:
        assert np.isfinite(three.probabilities(np.zeros((1, 5000, 3), np.uint8))).all()
        assert np.isfinite(three.probabilities(np.zeros((1, 1, 3), np.uint8))).all()


class TestModels:
    rows = [("a", 0), ("b", 0), ("c", 0)]

    @pytest.mark.parametrize(
        ("size", "count", "batch", "seen"), [(128, 3, 1, 128), (128, 3, "batch_size", 128), ("side", "rows", 1, 448)]
    )
    def test_names_and_size_come_from_the_model(self, tmp_path: Path, size, count, batch, seen) -> None:
        """An open size means 448."""
        tagger = tagger_of(tmp_path, self.rows, size, count, batch=batch)
        np.testing.assert_allclose(tagger.probabilities(np.full((50, 70, 3), 255, np.uint8)), 1.0, rtol=0.01)
        assert tagger._session()[1].size == seen

    @pytest.mark.parametrize("count", [3, "rows"])
    def test_a_csv_of_another_model(self, tmp_path: Path, count: int | str) -> None:
        tagger = tagger_of(tmp_path, self.rows[:2], count=count)
        with pytest.raises(ValueError, match=r"gives 3 probabilities, but .*t\.csv has 2 rows"):
            tagger.probabilities(np.zeros((50, 50, 3), np.uint8))

    def test_a_model_of_another_family(self, tmp_path: Path) -> None:
        tagger = tagger_of(tmp_path, self.rows, count=16, layout="NCHW")
        with pytest.raises(ValueError, match="WD14"):
            tagger.probabilities(np.zeros((50, 50, 3), np.uint8))

    def test_a_damaged_model(self, tmp_path: Path) -> None:
        damaged = tmp_path / "m.onnx"
        damaged.write_bytes((DATA / "model.onnx").read_bytes()[:5000])
        tagger = Tagger(damaged, DATA / "selected_tags.csv")
        with pytest.raises(ValueError, match=r"m\.onnx cannot be opened"):
            tagger.probabilities(waves(64, 64))

    def test_the_session_is_opened_once_by_many_threads(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import onnxruntime

        opened = []
        real = onnxruntime.InferenceSession
        monkeypatch.setattr(onnxruntime, "InferenceSession", lambda *a, **k: opened.append(a) or real(*a, **k))
        tagger = Tagger(DATA / "model.onnx", DATA / "selected_tags.csv")
        assert not opened
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: tagger.prompt(waves(64, 64)), range(4)))
        assert len(opened) == 1
        assert answers == [EXPECTED["square"]["prompts"]["0.35,0.85"]] * 4


class TestProviders:
    def test_an_unavailable_provider_is_named(self) -> None:
        with pytest.raises(ValueError, match=r"NoSuchProvider.*CPUExecutionProvider"):
            Tagger(DATA / "model.onnx", DATA / "selected_tags.csv", providers=["NoSuchProvider"])
        with pytest.raises(ValueError, match="providers"):
            Tagger(DATA / "model.onnx", DATA / "selected_tags.csv", providers=[])

    @pytest.mark.parametrize("accelerator", ["CUDAExecutionProvider", "CoreMLExecutionProvider"])
    def test_an_accelerator_is_tried_first_and_may_fail(
        self, monkeypatch: pytest.MonkeyPatch, accelerator: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        import onnxruntime

        tried: list[list[str]] = []
        real = onnxruntime.InferenceSession

        def open_session(path: str, providers: list[tuple[str, dict]]) -> object:
            tried.append([name for name, _ in providers])
            if len(providers) > 1:
                raise RuntimeError("no device")
            return real(path, providers=providers)

        available = ["CPUExecutionProvider", "AzureExecutionProvider", accelerator]
        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: available)
        monkeypatch.setattr(onnxruntime, "InferenceSession", open_session)
        tagger = Tagger(DATA / "model.onnx", DATA / "selected_tags.csv")
        assert tagger.prompt(waves(64, 64)) == EXPECTED["square"]["prompts"]["0.35,0.85"]
        assert tried == [[accelerator, "CPUExecutionProvider"], ["CPUExecutionProvider"]]
        assert accelerator in caplog.text and "no device" in caplog.text

    @pytest.mark.gpu
    def test_answers_on_a_gpu(self) -> None:
        import onnxruntime

        if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
            pytest.skip("this onnxruntime has no CUDA provider")
        tagger = Tagger(DATA / "model.onnx", DATA / "selected_tags.csv", ["CUDAExecutionProvider"])
        for case in EXPECTED.values():
            values = tagger.probabilities(waves(*case["shape"][:2]))
            np.testing.assert_allclose(values, case["probabilities"], rtol=0, atol=1e-4)


class TestBadInput:
    @pytest.mark.parametrize(
        "picture",
        [
            np.zeros((40, 40, 3), np.float32),
            np.zeros((40, 40, 3), np.int64),
            np.zeros((40, 40), np.uint8),
            np.zeros((40, 40, 4), np.uint8),
            np.zeros((1, 40, 40, 3), np.uint8),
            np.zeros((0, 40, 3), np.uint8),
            [[0, 0, 0]],
        ],
    )
    def test_pictures(self, tagger: Tagger, picture: Any) -> None:
        with pytest.raises(ValueError, match="convert it first"):
            tagger.tags(picture)

    @pytest.mark.parametrize("value", [float("nan"), -0.01, 1.01, float("inf")])
    @pytest.mark.parametrize("field", ["threshold", "character_threshold"])
    def test_thresholds(self, tagger: Tagger, field: str, value: float) -> None:
        with pytest.raises(ValueError, match=rf"^{field} is {value}, .*0\.\.1"):
            tagger.tags(waves(64, 64), **{field: value})  # type: ignore[arg-type]  # a threshold

    def test_missing_files(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match=r"tagger model .*no\.onnx"):
            Tagger(tmp_path / "no.onnx", DATA / "selected_tags.csv")
        with pytest.raises(FileNotFoundError, match=r"tag table .*no\.csv"):
            Tagger(DATA / "model.onnx", tmp_path / "no.csv")

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"tag_id,name,category,count\n",
            b"tag_id,tag,category,count\n1,solo,0,5\n",
            b"tag_id,name,category,count\n1,solo\n",
            b"tag_id,name,category,count\n1,solo,many,5\n",
            b"\xff\xfe\x00broken\n1,2\n",
        ],
    )
    def test_tables_that_are_none(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "selected_tags.csv"
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"selected_tags\.csv .*download it again"):
            Tagger(DATA / "model.onnx", path)

    def test_quoted_names_and_a_byte_order_mark_are_read(self, tmp_path: Path) -> None:
        path = tmp_path / "t.csv"
        text = '\ufefftag_id,name,category,count\n1,"don\'t_say_""lazy""",0,5\n2,"a,b",4,5\n'
        path.write_bytes(text.encode("utf-8"))
        tagger = Tagger(DATA / "model.onnx", path)
        assert tagger.names == ['don\'t_say_"lazy"', "a,b"] and tagger.categories == [0, 4]


class TestDownload:
    content = b"the content of a file"

    @pytest.fixture
    def calls(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[dict]:
        """What the hub client is asked for; it gives files with `content`."""
        digest = hashlib.sha256(self.content).hexdigest()
        monkeypatch.setitem(MODELS, "tiny", TaggerModel("someone/tagger", "0" * 40, digest))
        calls: list[dict] = []

        def download(repository: str, file: str, **options: object) -> str:
            calls.append({"repository": repository, **options})
            (tmp_path / file).write_bytes(self.content)
            return str(tmp_path / file)

        monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
        return calls

    def test_the_default_is_the_moat_v2_copy(self) -> None:
        model = MODELS[DEFAULT_MODEL]
        assert model.repository == "lllyasviel/misc"
        assert (model.model_file, model.tags_file) == ("wd-v1-4-moat-tagger-v2.onnx", "wd-v1-4-moat-tagger-v2.csv")
        assert model.model_sha256 == "b8cef913be4c9e8d93f9f903e74271416502ce0b4b04df0ff1e2f00df488aa03"

    def test_both_files_are_fetched_at_the_pinned_revision(self, calls: list[dict], tmp_path: Path) -> None:
        model, tags = download_tagger("tiny", cache=tmp_path)
        assert (model.name, tags.name) == ("model.onnx", "selected_tags.csv")
        assert [(call["revision"], call["cache_dir"]) for call in calls] == [("0" * 40, tmp_path)] * 2

    def test_a_damaged_file_is_refused(self, calls: list[dict], tmp_path: Path) -> None:
        self.content = b"rubbish"
        with pytest.raises(ValueError, match=r"model\.onnx of the repository someone/tagger is damaged: delete it"):
            download_tagger("tiny", cache=tmp_path)

    def test_the_real_client_offline_with_an_empty_cache(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            download_tagger(cache=tmp_path, local_files_only=True)
        assert not [path for path in tmp_path.rglob("*") if path.is_file()]

    @pytest.mark.hub
    def test_the_published_default(self) -> None:
        tagger = Tagger(*download_tagger())
        assert len(tagger.names) == 9083
        assert tagger.probabilities(waves(150, 220)).shape == (9083,)


def test_the_import_is_light_and_tagging_needs_no_torch() -> None:
    program = (
        "import sys\n"
        "sys.modules['torch'] = None\n"
        "import wd14_tagger\n"
        "heavy = {'onnxruntime', 'huggingface_hub', 'paints_undo', 'cv2'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "import numpy as np\n"
        f"tagger = wd14_tagger.Tagger({str(DATA / 'model.onnx')!r}, {str(DATA / 'selected_tags.csv')!r})\n"
        "print(tagger.prompt(np.zeros((64, 64, 3), np.uint8), 0.0, 0.0))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.count(",") > 5
