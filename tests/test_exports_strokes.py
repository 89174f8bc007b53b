"""What a drawing in strokes leaves: its layers, read back and flattened by others; vectors; a lesson; its film."""

import io
import itertools
import json
import os
import re
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from awkward_pictures import planned
from export_runs import make_source, make_stroke_run, picture
from PIL import Image
from psd_tools import PSDImage
from psd_tools.composite import composite
from pyora import Project
from pyora.Render import Renderer

from paints_undo import examples
from paints_undo.errors import InputError
from paints_undo.exports.formats import FORMATS, chosen_formats, export
from paints_undo.exports.lessons import MOST_STEPS, lesson, spans_of, what_is_done
from paints_undo.exports.options import ExportOptions
from paints_undo.exports.pacing import Pacing
from paints_undo.exports.source import Source
from paints_undo.exports.stroke_frames import StrokeFrames
from paints_undo.exports.stroke_layers import stroke_layers
from paints_undo.exports.videos import POSTS
from paints_undo.pictures.pixels import read_picture
from paints_undo.strokes.operations import LAYERS, PHASES, Operation

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module", params=["cat", "tiny"])
def source(request, tmp_path_factory):
    artwork = picture(40, 50)
    if request.param == "cat":
        artwork = read_picture(Path(examples.__file__).with_name("cat.png"))[:300, 100:400]
    return Source.of_run(make_stroke_run(tmp_path_factory.mktemp("run") / "girl", artwork))


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    return Source.of_run(make_stroke_run(tmp_path_factory.mktemp("run") / "girl", seconds=4.0))


def flattened(layers, size):
    """Pictures in RGBA with their places, over each other, as Pillow does it."""
    canvas = Image.new("RGBA", size, "white")
    for layer, place in layers:
        canvas.alpha_composite(layer.convert("RGBA"), place)
    return np.asarray(canvas.convert("RGB"))


@pytest.mark.parametrize("side", [None, 90])
def test_psd_tools_and_pillow_flatten_a_psd_to_the_artwork(source, tmp_path, side):
    path = export(source, "psd", tmp_path, ExportOptions(longest_side=side))["psd"]
    document, artwork = PSDImage.open(path), source.picture(source.sized(side))
    colour, _, _ = composite(document, force=True)
    assert np.array_equal(np.rint(colour * 255).astype(np.uint8), artwork)
    shown = [each for each in document.descendants() if not each.is_group() and each.is_visible()]
    assert np.array_equal(flattened([(each.topil(), each.offset) for each in shown], document.size), artwork)
    assert np.array_equal(np.asarray(document.topil().convert("RGB")), artwork)
    assert [each.name for each in document if not each.is_group()][0] == "paper"
    groups: dict[str, Any] = {each.name: each for each in document if each.is_group()}
    assert list(groups) == ["sketch", "colour"] and not groups["sketch"].visible and groups["colour"].visible
    assert {"construction", "sketch"} == {each.name for each in groups["sketch"]}
    assert {each.name for each in groups["colour"]} <= {"flats", "shadow", "light"}
    for each in groups["sketch"]:  # one click shows them as they were
        assert each.visible and np.asarray(each.topil())[..., 3].max() > 60


@pytest.mark.parametrize("side", [None, 90])
def test_pillow_flattens_open_raster_to_the_artwork(source, tmp_path, side):
    path = export(source, "ora", tmp_path, ExportOptions(longest_side=side))["ora"]
    with zipfile.ZipFile(path) as archive:
        image = ElementTree.fromstring(archive.read("stack.xml"))
        size, artwork = (int(image.attrib["w"]), int(image.attrib["h"])), source.picture(source.sized(side))
        assert [each.get("name") for each in image.findall("stack/stack")] == ["colour", "sketch"]
        assert image.find("stack/stack[2]").get("visibility") == "hidden"
        layers = []
        for each in image.findall("stack/*")[::-1]:
            if each.get("visibility") == "visible":
                layers += each.findall("layer")[::-1] if each.tag == "stack" else [each]
        opened = [
            (Image.open(io.BytesIO(archive.read(each.attrib["src"]))), (int(each.attrib["x"]), int(each.attrib["y"])))
            for each in layers
        ]
        assert np.array_equal(flattened(opened, size), artwork)
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(archive.read("mergedimage.png")))), artwork)


def test_pyora_draws_open_raster_as_the_artwork(drawn, tmp_path):
    opened = Project.load(str(export(drawn, "ora", tmp_path)["ora"]))
    assert [group.name for group in opened.iter_groups] == ["sketch", "colour", ""]
    assert np.array_equal(np.asarray(Renderer(opened).render().convert("RGB")), drawn.artwork)


@pytest.mark.skipif(shutil.which("gimp-console") is None, reason="needs GIMP")
def test_gimp_flattens_a_psd_to_the_artwork(drawn, tmp_path):
    path, flat = export(drawn, "psd", tmp_path)["psd"], tmp_path / "flat.png"
    opened = f'(car (gimp-file-load RUN-NONINTERACTIVE "{path}" "psd"))'
    saved = f'(file-png-save-defaults RUN-NONINTERACTIVE image (car (gimp-image-flatten image)) "{flat}" "png")'
    script = ["-b", f"(let* ((image {opened})) {saved})", "-b", "(gimp-quit 0)"]
    home = {**os.environ, "HOME": str(tmp_path)}
    subprocess.run(
        ["gimp-console", "-i", "--no-data", "--no-fonts", *script], check=True, capture_output=True, env=home
    )
    assert np.array_equal(np.asarray(Image.open(flat).convert("RGB")), drawn.artwork)


def test_line_art_and_flats_are_the_layers(source, tmp_path):
    done = export(source, "lineart,flats", tmp_path)
    pixels = {layer.name: layer.pixels for layer in stroke_layers(source.process)}
    for name, wanted in (("lineart", ("ink", "sketch")), ("flats", ("flats", "shadow", "light"))):
        with zipfile.ZipFile(done[name]) as archive:
            files = sorted(file for file in archive.namelist() if file.endswith(".png"))
            assert files == sorted(f"{layer}.png" for layer in wanted if layer in pixels) and files
            for file in files:
                read = np.asarray(Image.open(io.BytesIO(archive.read(file))))
                assert np.array_equal(read, pixels[file.removesuffix(".png")])
            assert json.loads(archive.read("record.json"))["settings"]["models"]["name"] == "strokes"


def test_every_stroke_is_a_path_in_the_group_of_its_layer_and_phase(source, tmp_path):
    process = source.process_in(source.sized(1536))
    tree = ElementTree.fromstring(export(source, "svg", tmp_path)["svg"].read_bytes())
    assert (tree.get("width"), tree.get("height")) == tuple(map(str, source.size))
    layers = [each for each in tree.findall(f"{SVG}g")]
    assert [LAYERS.index(each.get("id")) for each in layers] == sorted(LAYERS.index(each.get("id")) for each in layers)
    seen = {}
    for layer in layers:
        for phase in layer:
            assert phase.get("id") == f"{layer.get('id')}-{phase.get('id').split('-')[1]}"
            for stroke in phase:
                number = int(stroke.get("id")[1:])
                seen[number] = stroke
                operation = process.operations[number - 1]
                assert (operation.layer, operation.phase) == tuple(phase.get("id").split("-"))
                assert stroke.get("data-title") == operation.title
                parts = stroke.findall(f"{SVG}path") or [stroke]
                assert all(re.fullmatch(r"M[-0-9. MLQZ]+", part.attrib["d"]) for part in parts)
                if operation.colour is not None:
                    said = parts[0].get("fill") if operation.owns else parts[0].get("stroke")
                    assert said == "#{:02x}{:02x}{:02x}".format(*operation.colour)
    strokes = [number for number, each in enumerate(process.operations, 1) if each.kind == "stroke"]
    assert sorted(seen) == strokes
    hidden = {each.get("id") for each in layers if each.get("display") == "none"}
    assert hidden == {"construction", "sketch"} & {each.layer for each in process.operations}


def test_the_animated_one_shows_strokes_in_their_order(source, tmp_path):
    written = export(source, "svg-animated", tmp_path)["svg-animated"].read_text("utf-8")
    tree = ElementTree.fromstring(written)
    begins = {
        int(each.get("id")[1:]): float(re.search(r"--t:([0-9.]+)s", each.attrib["style"])[1])
        for each in tree.iter()
        if each.get("class") in ("l", "a")
    }
    ordered = [begins[number] for number in sorted(begins)]
    assert ordered == sorted(ordered) and ordered[0] < 0.5 and 18 < ordered[-1] <= 20
    assert "@keyframes draw" in written and "#sketch{animation:" in written
    assert written.count("<script") == 0
    shorter = export(source, "svg-animated", tmp_path, ExportOptions(Pacing(seconds=5)))["svg-animated"]
    assert max(map(float, re.findall(r"--t:([0-9.]+)s", shorter.read_text("utf-8")))) <= 5


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="needs exiftool (libimage-exiftool-perl)")
def test_exiftool_finds_nothing_wrong(drawn, tmp_path):
    paths = export(drawn, "svg,svg-animated,curves,psd,steps,gif,mp4", tmp_path, ExportOptions(longest_side=64))
    command = ["exiftool", "-validate", "-warning", "-a", "-s3", *map(str, paths.values())]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert told.count("OK") == len(paths) and "Warning" not in told, told


def test_a_lesson_has_as_many_steps_as_there_is_something_to_learn(source):
    spans = spans_of(source.process_in(source.sized(320)))
    assert 3 <= len(spans) <= MOST_STEPS
    assert [span.begin for span in spans] == [0, *(span.end for span in spans[:-1])] and spans[-1].end == 1000
    assert all(span.phase in PHASES and span.done for span in spans)
    assert all((one.phase, one.done) != (other.phase, other.done) for one, other in itertools.pairwise(spans))
    assert np.array_equal(lesson(source, source.size)[-1][1], source.artwork)


SAID = {  # what is done, and how often -> what the step is called
    (
        "flat colour of skin",
        9,
        "flat colour of hair",
        5,
        "flat colour of eyes",
        7,
    ): "flat colour of skin, eyes and hair",
    ("shade the face", 8, "specks on the face", 1): "shade the face",
    ("light on hair", 5, "shadow on skin", 9): "shadow on skin; light on hair",
    ("a mass", 9, "the skull, a first try", 1, "rub out the skull", 1, "the skull again", 1): "the skull and a mass",
    ("sketch a line", 9, "restate it", 1): "sketch a line",
    ("", 3): "",
}


@pytest.mark.parametrize("titles", SAID)
def test_a_step_is_called_by_what_is_done(titles):
    nowhere, strokes = np.zeros((0, 3), np.float32), []
    for title, count in zip(titles[::2], titles[1::2], strict=True):
        strokes += [Operation("flats", "flats", "flat", nowhere, title=title)] * count
    assert what_is_done(strokes) == SAID[titles]


def test_a_film_is_canvases_of_the_process(drawn):
    size, process = drawn.sized(100), drawn.process_in(drawn.sized(100))
    frames = drawn.finished_frames(size)
    assert len(frames) == len(drawn.frames) == 96
    for number, frame in zip((3, 50, 96), frames.chosen([3, 50, 96]), strict=True):
        wanted = process.artwork if number == 96 else process.canvas(float(drawn.frames.moments[number]))
        assert np.array_equal(frame, wanted)
    played = list(drawn.played(drawn.size, Pacing()))
    assert np.array_equal(played[-1][0], drawn.artwork)
    assert 85 <= len(played) <= 97  # what is held in the end comes once
    assert frames.reached(0).max() == 0 and frames.reached(96).min() == 1


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_can_be_written(drawn, tmp_path, name):
    pacing = Pacing(fps=1, seconds=3) if name in POSTS else Pacing()  # by themselves they are up to a minute long
    path = export(drawn, name, tmp_path, ExportOptions(pacing, longest_side=64))[name]
    assert path.stat().st_size > 500


def test_networks_have_no_strokes_to_give(tmp_path):
    source = make_source(tmp_path)
    with pytest.raises(InputError, match="svg needs an artwork that is drawn in strokes, and networks drew this one"):
        export(source, "mp4,svg", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    without = [name for name in FORMATS if name not in ("svg", "svg-animated", "flats")]
    assert chosen_formats("all", source) == without


def test_what_is_covered_is_mirrored_with_the_canvas():
    process = planned("scene", 1)
    flips = [number for number, one in enumerate(process.operations, 1) if one.kind == "flip"]
    assert len(flips) == 4, "this seed flips the canvas twice, the second time over paint"
    frames = StrokeFrames(process, np.array([flips[2], flips[2] - 1]))
    assert np.array_equal(frames.reached(0), frames.reached(1)[:, ::-1])
    assert not np.array_equal(frames.reached(0), frames.reached(1))
