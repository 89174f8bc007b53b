"""The host memory that a process took."""

import numpy as np

from paints_undo.bench import host_memory


def test_memory_that_is_taken_shows():
    before = host_memory.resident_bytes()
    taken = np.ones(64 * 2**20, np.uint8)
    assert host_memory.resident_bytes() - before > 0.8 * taken.nbytes
    assert host_memory.peak_resident_bytes() >= host_memory.resident_bytes() - 2**20


def test_other_systems_are_asked_in_their_own_way(monkeypatch, tmp_path):
    monkeypatch.setattr(host_memory, "STATUS", tmp_path / "none")
    assert host_memory.peak_resident_bytes() > 2**20
    assert host_memory.resident_bytes() == host_memory.peak_resident_bytes()
