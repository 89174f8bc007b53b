"""verify: what a file says it is, and whether it holds."""

import json

import numpy as np
import pytest
from PIL import Image
from throwaway_certificate import write_certificate

from paints_undo.cli import main
from paints_undo.pictures.pixels import encode_png
from paints_undo.provenance.embedding import embed
from paints_undo.provenance.records import GIVEN
from paints_undo.run.folder import RunFolder
from paints_undo.run.timeline import Keyframe, Timeline
from paints_undo.verification.content_credentials import Credentials, sign_run
from paints_undo.verification.verify import CONTRADICTED, NO_RECORD, RECORDED, UNREADABLE, verify

TIMELINE = Timeline((Keyframe(400, 2, 3),), 1)
SETTINGS = {"models": {"name": "mini", "revision": "1"}}


@pytest.fixture
def artwork():
    return np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)


@pytest.fixture
def run(tmp_path, artwork):
    run = RunFolder.create(tmp_path / "run", SETTINGS, TIMELINE, artwork)
    run.save_keyframe("0400-1", artwork // 2)
    run.save_segment("0000-0400-a1", np.stack([artwork] * 2))
    run.save_timelapse(np.stack([artwork] * 2), 4, save_frames=True)
    run.finish()
    Image.fromarray(artwork).save(tmp_path / "given.png")
    Image.fromarray(255 - artwork).save(tmp_path / "other.png")
    return run


def test_files_say_what_they_are(run, tmp_path):
    for name in ("timelapse.mp4", "keyframes/0400-1.png", "frames/00000.png"):
        found = verify(run.path / name, tmp_path / "given.png")
        assert (found.state, found.artwork) == (RECORDED, True)
        assert "made by AI" in found.sentence and "mini 1" in found.text and "(the one given)" in found.text
    found = verify(run.path / "artwork.png")
    assert found.state == RECORDED and "made by AI" not in found.sentence and "not compared" in found.text


def test_another_artwork_contradicts(run, tmp_path, artwork):
    found = verify(run.timelapse_file, tmp_path / "other.png")
    assert (found.state, found.artwork) == (CONTRADICTED, False)
    assert verify(run.path, tmp_path / "other.png").state == CONTRADICTED
    found = verify(run.path, tmp_path / "given.png")
    assert found.state == RECORDED and "6 of 6 files are whole and of this run" in found.text, found.text
    (run.path / "artwork.png").write_bytes(embed(encode_png(255 - artwork), run.record("artwork", GIVEN)))
    found = verify(run.path / "artwork.png")
    assert found.state == CONTRADICTED and "shows another picture" in found.sentence


def test_files_without_a_record_and_what_cannot_be_read(run, tmp_path):
    found = verify(tmp_path / "other.png")
    assert found.state == NO_RECORD and "carries no record" in found.sentence and "can be removed" in found.sentence
    (tmp_path / "a.txt").write_text("text")
    (tmp_path / "empty").mkdir()
    assert {verify(tmp_path / name).state for name in ("a.txt", "nowhere.png", "empty")} == {UNREADABLE}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("keyframes/0400-1.png", b"half", "keyframes/0400-1.png: "),
        ("segments/0000-0400-a1.npz", b"PK half", "it is damaged"),
        ("timelapse.mp4", None, "timelapse.mp4: it is missing"),
        ("artwork.png", encode_png(np.zeros((48, 64, 3), np.uint8)), "is not the picture this run was started with"),
        ("frames/00001.png", encode_png(np.zeros((48, 64, 3), np.uint8)), "frames/00001.png: It carries no record"),
    ],
)
def test_a_damaged_run(run, name, content, said):
    if content is None:
        (run.path / name).unlink()
    else:
        (run.path / name).write_bytes(content)
    found = verify(run.path)
    assert found.state == CONTRADICTED and said in found.text
    assert len([piece for piece in found.pieces if piece.state != RECORDED]) == 1


def test_a_piece_of_another_run(run, tmp_path, artwork):
    other = RunFolder.create(tmp_path / "other", SETTINGS, TIMELINE, artwork)
    run.path.joinpath("keyframes/0400-1.png").write_bytes(other.save_keyframe("0400-1", artwork).read_bytes())
    assert "keyframes/0400-1.png: it is of another run" in verify(run.path).text


def test_a_signature_is_told_and_a_change_after_it(run, tmp_path):
    sign_run(run.path, Credentials(*write_certificate(tmp_path)))
    found = verify(run.timelapse_file)
    assert "signature   on 4 of the files" in verify(run.path).text
    assert verify(run.path).state == RECORDED  # signing is no damage
    assert found.state == RECORDED and "by Throwaway, not changed since, by a certificate that nobody" in found.text
    changed = bytearray(run.timelapse_file.read_bytes())
    changed[-300] ^= 1
    run.timelapse_file.write_bytes(changed)
    assert verify(run.timelapse_file).state == CONTRADICTED


def test_the_command_s_text_json_and_status(run, tmp_path, capsys):
    files = [str(run.timelapse_file), str(tmp_path / "other.png")]
    assert main(["verify", files[0], str(run.path)]) == 0
    assert "made by AI" in capsys.readouterr().out
    assert main(["verify", *files, "--json", "--artwork", str(tmp_path / "given.png")]) == 1
    told = json.loads(capsys.readouterr().out)
    assert [each["state"] for each in told] == ["recorded", "no record"]
    assert told[0]["artwork_matches"] is True and told[0]["record"]["settings"] == SETTINGS
    assert told[0]["record"]["digital_source_type"].endswith("/trainedAlgorithmicMedia")
    assert main(["verify", str(tmp_path / "nowhere.png")]) == 2
    assert main(["verify", files[0], "--artwork", str(tmp_path / "nowhere.png")]) == 2
