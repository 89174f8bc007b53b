"""The command `verify`: what it prints, and its exit status."""

import json

import numpy as np
from PIL import Image

from paints_undo.cli import main
from paints_undo.run.folder import RunFolder
from paints_undo.run.timeline import Keyframe, Timeline

SETTINGS = {"models": {"name": "mini", "revision": "1"}}


def test_text_json_and_status(tmp_path, capsys):
    artwork = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    Image.fromarray(artwork).save(tmp_path / "given.png")
    Image.fromarray(255 - artwork).save(tmp_path / "other.png")
    run = RunFolder.create(tmp_path / "run", SETTINGS, Timeline((Keyframe(400, 2, 3),), 1), artwork)
    run.save_timelapse(np.stack([artwork] * 2), 4)
    run.finish()
    assert main(["verify", str(run.timelapse_file), str(run.path)]) == 0
    assert "made by AI" in capsys.readouterr().out
    files = [str(run.timelapse_file), str(tmp_path / "other.png")]
    assert main(["verify", *files, "--json", "--artwork", str(tmp_path / "given.png")]) == 1
    told = json.loads(capsys.readouterr().out)
    assert [each["state"] for each in told] == ["recorded", "no record"]
    assert told[0]["artwork_matches"] is True and told[0]["record"]["settings"] == SETTINGS
    assert told[0]["record"]["digital_source_type"].endswith("/trainedAlgorithmicMedia")
    assert main(["verify", str(tmp_path / "nowhere.png")]) == 2
    assert main(["verify", files[0], "--artwork", str(tmp_path / "nowhere.png")]) == 2
