import numpy as np
import pytest

from paints_undo.training.regions import find_regions, line_mask, spread


def squares():
    labels = np.zeros((64, 64), int)
    labels[10:40, 10:40] = 1
    labels[50:60, 50:60] = 1  # the same label, another region
    final = np.full((64, 64, 3), 255, np.uint8)
    final[labels == 1] = (200, 30, 30)
    return final, labels


def test_one_region_for_each_connected_area():
    regions = find_regions(*squares())
    assert len(regions.area) == 3
    assert sorted(regions.area) == [100, 900, 64 * 64 - 1000]
    assert regions.background.sum() == 1
    assert np.allclose(regions.colour[~regions.background], (200, 30, 30))


def test_the_big_shape_comes_before_background_and_details():
    regions = find_regions(*squares())
    order = np.argsort(regions.rank)
    assert regions.area[order[0]] == 900
    assert regions.background[order[-1]] or regions.area[order[-1]] == 100


def test_specks_join_their_neighbour():
    final, labels = squares()
    labels[0:2, 0:2] = 7
    assert len(find_regions(final, labels).area) == 3


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


def test_nothing_to_draw_is_an_error():
    with pytest.raises(ValueError, match="one single region"):
        find_regions(np.zeros((32, 32, 3), np.uint8), np.zeros((32, 32), int))
    with pytest.raises(ValueError, match="picture's size"):
        find_regions(np.zeros((32, 32, 3), np.uint8), np.zeros((16, 32), int))


def test_spread_takes_the_nearest_known_value():
    values, known = np.zeros((8, 8), np.float32), np.zeros((8, 8), bool)
    values[0, 0], values[7, 7] = 1, 2
    known[0, 0] = known[7, 7] = True
    filled = spread(values, known)
    assert filled[1, 1] == 1 and filled[6, 6] == 2 and set(np.unique(filled)) == {1, 2}
