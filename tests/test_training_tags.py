import csv

import torch

from paints_undo.training.tags import RATINGS, common_tags, tag_targets, write_tag_table
from wd14_tagger.tagger import _read_tags

TAGS = [("solo", "smile", "143"), ("solo", "blue hair"), ("solo", "smile", "")]


def test_common_tags_come_first_and_numbers_are_none():
    assert common_tags(TAGS, 1) == {"solo": 3, "smile": 2, "blue hair": 1}
    assert common_tags(TAGS, 2) == {"solo": 3, "smile": 2}


def test_a_small_set_keeps_its_rare_tags_and_a_large_one_does_not():
    assert "blue hair" in common_tags(TAGS)
    many = [("solo",)] * 3000 + [("fox",)] * 29 + [("cat",)] * 30
    assert list(common_tags(many)) == ["solo", "cat"]


def test_the_table_is_one_that_the_tagger_reads(tmp_path):
    write_tag_table(tmp_path / "selected_tags.csv", common_tags(TAGS, 1), 3)
    names, categories = _read_tags(tmp_path / "selected_tags.csv")
    assert names == [*RATINGS, "solo", "smile", "blue_hair"]
    assert categories == [9, 9, 9, 9, 0, 0, 0]
    rows = list(csv.DictReader((tmp_path / "selected_tags.csv").open()))
    assert [row["count"] for row in rows] == ["3", "0", "0", "0", "3", "2", "1"]
    assert [int(row["tag_id"]) for row in rows] == list(range(7))


def test_targets_have_a_column_for_each_rating_and_tag():
    targets = tag_targets(TAGS, ["solo", "blue hair"])
    assert torch.equal(targets, torch.tensor([[1.0, 0, 0, 0, 1, 0], [1, 0, 0, 0, 1, 1], [1, 0, 0, 0, 1, 0]]))
