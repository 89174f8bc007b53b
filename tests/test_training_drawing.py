"""From a finished picture to its drawing process: regions, strokes, planes, habits, and vector art."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from training_pictures import SVG, a_face, a_process, compose, labels_of

from paints_undo.training.layering import (
    LONGEST_STROKE,
    build_process,
    cel_shade,
    draw_lines,
    draw_sketch,
    find_regions,
    find_strokes,
    line_mask,
    spread,
)
from paints_undo.training.process import (
    LAST_STEP,
    STAGES,
    Habits,
    apply_habits,
    compose_batch,
    compose_with_moments,
    draw_habits,
    moments_of,
    stage_of,
)
from paints_undo.training.vector_art import parse_svg, process_from_svg, rasterise


def squares():
    labels = np.zeros((64, 64), int)
    labels[10:40, 10:40] = 1
    labels[50:60, 50:60] = 1  # the same label, another region
    final = np.full((64, 64, 3), 255, np.uint8)
    final[labels == 1] = (200, 30, 30)
    return final, labels


def face_regions(size=128):
    picture = a_face(size)
    return find_regions(picture, labels_of(picture))


def test_one_region_for_each_connected_area_the_big_shape_first():
    final, labels = squares()
    labels[0:2, 0:2] = 7  # a speck, which joins its neighbour
    regions = find_regions(final, labels)
    assert sorted(regions.area) == [100, 900, 64 * 64 - 1000]
    assert regions.background.sum() == 1
    assert np.allclose(regions.colour[~regions.background], (200, 30, 30))
    order = np.argsort(regions.rank)
    assert regions.area[order[0]] == 900
    assert regions.background[order[-1]] or regions.area[order[-1]] == 100


def test_a_thin_dark_shape_is_ink():
    labels = np.zeros((200, 200), int)
    labels[100:103, 20:180] = 1
    labels[20:60, 20:60] = 2
    final = np.full((200, 200, 3), 255, np.uint8)
    final[labels > 0] = (15, 15, 15)
    regions = find_regions(final, labels)
    assert regions.ink.sum() == 1 and regions.area[regions.ink] == 480


def test_lines_only_where_colours_differ():
    final, labels = squares()
    assert line_mask(find_regions(final, labels)).sum() > 100
    assert line_mask(find_regions(np.full_like(final, 200), labels)).sum() == 0


def test_what_cannot_be_drawn_is_refused():
    blank = np.zeros((32, 32, 3), np.uint8)
    with pytest.raises(ValueError, match="one single region"):
        find_regions(blank, np.zeros((32, 32), int))
    with pytest.raises(ValueError, match="picture's size"):
        find_regions(blank, np.zeros((16, 32), int))
    with pytest.raises(ValueError, match="even"):
        build_process(np.zeros((33, 32, 3), np.uint8), np.zeros((33, 32), int))
    with pytest.raises(ValueError, match="light"):
        cel_shade(a_face(64), face_regions(64), 0)
    with pytest.raises(ValueError, match="0 to 999"):
        compose(a_process(), 1000)
    with pytest.raises(ValueError, match="well-formed"):
        parse_svg("<svg")


def test_spread_takes_the_nearest_known_value():
    values, known = np.zeros((8, 8), np.float32), np.zeros((8, 8), bool)
    values[0, 0], values[7, 7] = 1, 2
    known[0, 0] = known[7, 7] = True
    filled = spread(values, known)
    assert filled[1, 1] == 1 and filled[6, 6] == 2 and set(np.unique(filled)) == {1, 2}


def test_strokes_are_one_movement_each_and_none_runs_along_the_edge():
    strokes = find_strokes(face_regions())
    assert 0 < max(len(stroke) for stroke in strokes) <= 1.6 * LONGEST_STROKE * 128
    assert all(stroke.min() > 0 and stroke.max() < 127 for stroke in strokes)


def test_lines_and_sketch_are_revealed_from_first_to_last_and_the_sketch_is_always_the_same():
    regions = face_regions()
    strokes = find_strokes(regions)
    drawn = draw_lines(regions, strokes), draw_sketch(regions, strokes)
    for opacity, order in drawn:
        assert opacity.shape == order.shape == (128, 128)
        assert opacity.min() >= 0 and opacity.max() <= 1 and opacity.max() > 0.5
        assert order[opacity > 0.3].min() < 0.15 and order[opacity > 0.3].max() > 0.8
    assert np.array_equal(drawn[1][0], draw_sketch(regions, strokes)[0])
    assert np.abs(drawn[1][0] - drawn[0][0]).mean() > 0.005


def test_planes_have_half_the_working_size_and_flats_are_filled_one_region_after_another():
    process = a_process()
    assert process.final.shape == (64, 64, 3) and process.flat_order.shape == (64, 64)
    face, eye = process.flat_order[34:37, 30:34], process.flat_order[26:30, 23:27]
    assert face.max() < eye.min()  # the big shape first, then the detail


def test_the_side_away_from_the_light_is_darker_and_paper_and_flats_stay():
    picture, regions = a_face(128), face_regions()
    from_left, from_right = cel_shade(picture, regions, -1), cel_shade(picture, regions, 1)
    left, right = np.s_[60:68, 22:26], np.s_[60:68, 102:106]
    darker = [int(lit[side].sum()) for lit in (from_left, from_right) for side in (left, right)]
    assert darker[0] != darker[1] and (darker[0] > darker[1]) != (darker[2] > darker[3])
    assert (from_left[:4] == 255).all()
    plain, lit = (build_process(picture, labels_of(picture), light) for light in (0, 1))
    assert np.array_equal(plain.flat, lit.flat) and np.abs(plain.final.astype(int) - lit.final).max() > 20


def test_the_process_leads_from_the_first_stroke_to_exactly_the_finished_picture():
    process = a_process()
    assert np.array_equal(compose(process, 0), process.final)
    first = compose(process, LAST_STEP)
    assert first.mean() > 245 and (first < 240).any()
    painted = [(compose(process, step) < 250).any(axis=2).mean() for step in (200, 300, 400, 480)]
    assert all(more > less - 0.01 for more, less in zip(painted, painted[1:], strict=False))
    assert painted[0] > 1.5 * painted[-1]
    lines = compose(process, 520).astype(int)
    assert (lines.max(axis=2) - lines.min(axis=2)).max() < 60  # sketch blue at most
    assert (lines < 90).all(axis=2).any()


def test_a_batch_is_each_picture_at_its_own_step():
    process = a_process()
    maps = torch.from_numpy(process.to_maps())[None].repeat(3, 1, 1, 1)
    batch = compose_batch(maps, torch.tensor([0, 400, 999]))
    assert batch.shape == (3, 3, 64, 64) and batch.dtype == torch.float32
    for canvas, step in zip(batch, (0, 400, 999), strict=True):
        pixels = ((canvas + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
        assert np.array_equal(pixels, compose(process, step))


def test_stages_cover_all_time_without_gaps():
    bounds = list(STAGES.values())
    assert bounds[0][0] == 0 and bounds[-1][1] == 1
    assert all(before[1] == after[0] for before, after in zip(bounds, bounds[1:], strict=False))
    assert stage_of(0) == "finish" and stage_of(999) == "sketch" and stage_of(600) == "line"


def test_habits_are_rare_and_the_same_for_the_same_seed():
    habits = [draw_habits(str(number)) for number in range(400)]
    assert habits == [draw_habits(str(number)) for number in range(400)]
    assert 340 < sum(one == Habits() for one in habits) < 390


def test_habits_change_their_layer_and_nothing_that_is_finished():
    process = a_process()
    changed = apply_habits(process, Habits(hue_shift=90))
    assert np.abs(compose(changed, 300).astype(int) - compose(process, 300)).max() > 50
    assert np.array_equal(compose(changed, 0), process.final)
    moved = apply_habits(process, Habits(sketch_shift=(0.1, 0.0), sketch_scale=1.1))
    assert not np.array_equal(moved.sketch, process.sketch) and np.array_equal(moved.line, process.line)


def test_flip_check_and_hidden_lines_last_a_moment_of_their_picture():
    process = a_process()
    maps = torch.from_numpy(process.to_maps())[None].repeat(3, 1, 1, 1)
    moments = moments_of([Habits(), Habits(flip_check_at=0.19), Habits(lines_hidden_at=0.53)])
    lineless = replace(process, line=np.zeros_like(process.line))
    assert not np.array_equal(compose(lineless, 450), compose(process, 450))
    for step in (0, 300, 430, 450, 500, 600, 770, 800, 850, 900):
        usual = compose(process, step)
        wanted = [usual, usual[:, ::-1] if step == 800 else usual, compose(lineless if step == 450 else process, step)]
        canvases = compose_with_moments(maps, torch.full((3,), step), moments)
        pixels = ((canvases + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
        assert np.array_equal(pixels, np.stack(wanted)), step
    assert torch.equal(maps[0], maps[2])  # what the set holds is not written to


def test_use_is_replaced_by_what_it_points_to_and_a_loop_of_uses_ends():
    tags = [element.tag.split("}")[1] for element in parse_svg(SVG).iter()]
    assert "use" not in tags and tags.count("circle") == 4
    parse_svg('<svg xmlns="http://www.w3.org/2000/svg"><g id="a"><use href="#a"/></g></svg>')


def test_vector_art_becomes_labels_and_a_process():
    pytest.importorskip("skia")
    final, labels = rasterise(SVG, 100)
    assert final.shape == (100, 100, 3) and labels.shape == (100, 100)
    paper, grass, face, left_eye, right_eye = labels[[2, 90, 45, 40, 40], [2, 5, 50, 38, 62]]
    assert paper == 0 and len({paper, grass, face, left_eye, right_eye}) == 5
    assert len(np.unique(labels)) == 5  # the see-through circle is shading, not a shape
    process = process_from_svg(SVG, 64)
    assert compose(process, 999).mean() > 240 and np.array_equal(compose(process, 0), process.final)
    flat, final = process.flat[28, 50].astype(int), process.final[28, 50].astype(int)
    assert np.abs(flat - final).max() > 3  # the gradient comes with the shading
