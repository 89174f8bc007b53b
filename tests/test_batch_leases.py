"""An item is held by one process, and by nobody when that has ended."""

import subprocess
import sys

from paints_undo.batch.ledger import Leases

HOLD = """
import sys, time
from pathlib import Path
from paints_undo.batch.ledger import Leases
leases = Leases(Path(sys.argv[1]))
print(leases.take("a" * 64), flush=True)
time.sleep(60)
"""


def test_one_holder_at_a_time(tmp_path):
    first, second = Leases(tmp_path / "leases"), Leases(tmp_path / "leases")
    assert first.take("a" * 64) and not second.take("a" * 64) and second.take("b" * 64)
    first.give_back("a" * 64)
    assert second.take("a" * 64)
    second.give_back("a" * 64, done=True)
    second.give_back("b" * 64, done=True)
    assert not list((tmp_path / "leases").iterdir())
    second.give_back("c" * 64)  # what was never taken


def test_a_killed_holder_leaves_nothing_behind(tmp_path):
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "True\n"
    leases = Leases(tmp_path)
    assert not leases.take("a" * 64)
    holder.kill()
    holder.wait()
    holder.stdout.close()
    assert leases.take("a" * 64)


def test_a_place_without_locks_hands_out_everything():
    assert Leases(None).take("a") and Leases(None).take("a")
    Leases(None).give_back("a", done=True)
