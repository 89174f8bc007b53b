"""What every test file may rely on: tests marked gpu or hub only run where they can, and say so where they cannot."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

# One of several processes that share the cores; before PyTorch is imported.
if "PYTEST_XDIST_WORKER" in os.environ:
    for library in ("OMP", "MKL", "OPENBLAS"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")

import hypothesis
import pytest
from tiny_family import write_tiny_family

if TYPE_CHECKING:
    from paints_undo.exports.source import Source

# The same inputs every time, so that a change answers for its own faults alone; tests/fuzz looks for new ones.
hypothesis.settings.register_profile("steady", derandomize=True)
hypothesis.settings.load_profile("steady")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips ``gpu`` tests without a GPU, and ``hub`` and ``soak`` tests unless the environment asks for them."""
    no_gpu = None
    for item in items:
        if item.get_closest_marker("gpu"):
            if no_gpu is None:
                import torch  # only when a test needs it: collecting the others stays quick

                no_gpu = not torch.cuda.is_available()
            if no_gpu:
                item.add_marker(pytest.mark.skip(reason="needs a GPU"))
        if item.get_closest_marker("hub") and os.environ.get("PAINTS_UNDO_HUB_TESTS") != "1":
            item.add_marker(pytest.mark.skip(reason="downloads from the model hub; set PAINTS_UNDO_HUB_TESTS=1"))
        if item.get_closest_marker("soak") and os.environ.get("PAINTS_UNDO_SOAK_TESTS") != "1":
            item.add_marker(pytest.mark.skip(reason="takes minutes; set PAINTS_UNDO_SOAK_TESTS=1"))


@pytest.fixture(scope="session")
def tiny_family(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a whole model family of tiny networks; not to be changed."""
    return write_tiny_family(tmp_path_factory.mktemp("models") / "reference")


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """What exports start from, of a finished run without networks; not to be changed."""
    from export_runs import make_source  # only when a test needs it: collecting the others stays quick

    return make_source(tmp_path_factory.mktemp("exported"))


@pytest.fixture(scope="module")
def one_core() -> Iterator[None]:
    """A machine with one core, on which pieces of work come one after the other."""
    with torch_threads(1):
        yield


@pytest.fixture
def two_cores() -> Iterator[None]:
    """A machine with two cores, whatever this one has."""
    with torch_threads(2):
        yield


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def browser() -> Iterator:
    """Chromium or Chrome without a window; while it is there, its event loop lets no other run in this thread."""
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright (pip install -e .[dev])")
    from desk import PLACE, QUIET

    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=PLACE, args=QUIET)
        yield started
        started.close()


@pytest.fixture
def desk(browser, tmp_path: Path) -> Iterator:
    """The app with an engine that pretends, and windows on it; nothing may have been wrong with them in the end."""
    from desk import Desk

    with Desk(browser, tmp_path / "outputs") as opened:
        yield opened


@pytest.fixture
def strokes(browser, tmp_path: Path) -> Iterator:
    """The same with the engine that draws in strokes."""
    from desk import Desk

    from paints_undo.strokes_engine import Strokes

    with Desk(browser, tmp_path / "outputs", real=Strokes()) as opened:
        yield opened
