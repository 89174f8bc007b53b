import numpy as np
import pytest
import torch

from paints_undo.pictures.pixels import read_picture
from paints_undo.training.sheets import contact_sheet, psnr, write_sheet


def test_a_sheet_holds_every_picture(tmp_path):
    rows = [[np.full((8, 6, 3), 40 * row + column, np.uint8) for column in range(3)] for row in range(2)]
    sheet = contact_sheet(rows, gap=1)
    assert sheet.shape == (20, 24, 3) and sheet[5, 4, 0] == 0 and sheet[15, 20, 0] == 42
    write_sheet(tmp_path / "sheet.png", torch.zeros(2, 3, 16, 16), torch.ones(2, 3, 16, 16))
    assert read_picture(tmp_path / "sheet.png").shape == (40, 40, 3)


def test_rows_must_be_of_one_length():
    with pytest.raises(ValueError, match="one length"):
        contact_sheet([[np.zeros((2, 2, 3), np.uint8)], []])


def test_psnr_of_a_known_error():
    assert psnr(torch.zeros(1, 3, 4, 4) + 0.02, torch.zeros(1, 3, 4, 4))[0] == pytest.approx(40, abs=0.01)
