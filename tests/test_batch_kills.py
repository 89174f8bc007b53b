"""The driver killed without warning at random moments: nothing is lost, nothing torn, nothing needlessly done twice."""

import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from batch_pictures import QUICK, quick_family, write_pictures
from PIL import Image

from paints_undo.pictures.video import read_video

ROOT = Path(__file__).parent.parent


def start(pictures, out, family, flags):
    command = [sys.executable, "-m", "paints_undo", "batch", str(pictures), "--out", str(out)]
    engine = ["--models", str(family), "--device", "cpu", "--quiet", *flags]
    return subprocess.Popen([*command, *engine, *QUICK], cwd=ROOT, stderr=subprocess.PIPE, text=True)


def lines(out):
    """The ledger's lines that are whole."""
    found = []
    for file in sorted((out / "batch" / "ledger").glob("*.jsonl")):
        whole = file.read_bytes().rpartition(b"\n")[0]
        found += [json.loads(line) for line in whole.splitlines()]
    return found


def check_no_file_is_torn(out):
    """Everything that carries its final name can be read to its end."""
    for file in out.rglob("*"):
        if file.name.endswith(".tmp"):
            continue
        if file.suffix == ".png":
            Image.open(file).load()
        elif file.suffix == ".npz":
            with np.load(file) as arrays:
                assert all(arrays[name].size for name in arrays.files)
        elif file.suffix == ".json":
            json.loads(file.read_bytes())
        elif file.suffix == ".mp4":
            assert len(read_video(file)) == 30


def killed_again_and_again(folder, family, count, kills, seed, flags=(), workers=1):
    """The ledger's states; after as many kills of a driver with as many workers."""
    generator, pictures, out = random.Random(seed), folder / "pictures", folder / "out"
    write_pictures(pictures, count)
    family = quick_family(family, folder / "family")
    for kill in range(1, kills + 1):
        driver = start(pictures, out, family, flags)
        enough = min(count * kill // (kills + 1) + generator.randrange(2), count - 1)
        while sum(line["state"] == "done" for line in lines(out)) < enough:
            assert driver.poll() is None, driver.stderr.read()
            time.sleep(0.02)
        time.sleep(generator.uniform(0, 1.5))
        driver.send_signal(signal.SIGKILL)
        driver.wait()
        driver.stderr.close()
        time.sleep(2 if workers > 1 else 0)  # actors end a moment after their driver
        check_no_file_is_torn(out)
    last = start(pictures, out, family, flags)
    assert last.wait() == 0, last.stderr.read()

    check_no_file_is_torn(out)
    states = Counter(line["state"] for line in lines(out))
    assert states["done"] == count  # nothing lost, nothing done twice
    assert states.keys() == {"begun", "done"} and states["begun"] <= count + kills * workers  # but what was in flight
    rows = [json.loads(line) for line in (out / "runs.jsonl").read_text().splitlines()]
    assert len(rows) == count and {row["state"] for row in rows} == {"done"}
    assert len(list(out.glob("*/timelapse.mp4"))) == count and not list(out.rglob("*.tmp"))
    return states


@pytest.mark.slow
def test_a_killed_driver_goes_on(tiny_family, tmp_path):
    killed_again_and_again(tmp_path, tiny_family, count=4, kills=1, seed=0)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_a_hundred_pictures_and_ten_kills(tiny_family, tmp_path):
    states = killed_again_and_again(tmp_path, tiny_family, count=100, kills=10, seed=1)
    print(f"\n100 pictures, 10 kills: {states['begun']} begun, {states['done']} done")


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_a_killed_driver_of_ray_actors_goes_on(tiny_family, tmp_path):
    pytest.importorskip("ray", reason="needs Ray: pip install '.[cluster]'")
    flags = ["--ray", "local", "--actors", "2", "--actor-cpus", "0.5"]
    states = killed_again_and_again(tmp_path, tiny_family, count=10, kills=2, seed=2, flags=flags, workers=2)
    print(f"\n10 pictures on Ray, 2 kills: {states['begun']} begun, {states['done']} done")
