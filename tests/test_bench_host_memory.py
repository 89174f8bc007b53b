"""The host memory that a process took."""

import subprocess
import sys

from paints_undo.bench import host_memory

TAKING = """
import numpy
from paints_undo.bench.host_memory import peak_resident_bytes, resident_bytes
before = resident_bytes()
taken = numpy.ones(64 * 2**20, numpy.uint8)
print(resident_bytes() - before, peak_resident_bytes() - resident_bytes())
"""


def test_memory_that_is_taken_shows():
    """In a process of its own: here, whatever an earlier test left behind may be given back at the same moment."""
    done = subprocess.run([sys.executable, "-c", TAKING], capture_output=True, text=True, check=True)
    more, below_peak = map(int, done.stdout.split())
    assert more > 0.8 * 64 * 2**20 and below_peak >= -(2**20)


def test_other_systems_are_asked_in_their_own_way(monkeypatch, tmp_path):
    monkeypatch.setattr(host_memory, "STATUS", tmp_path / "none")
    assert host_memory.peak_resident_bytes() > 2**20
    assert host_memory.resident_bytes() == host_memory.peak_resident_bytes()
