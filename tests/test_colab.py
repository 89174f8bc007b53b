"""The Colab notebook: run from its first cell to its last in a kernel of its own, steered by the environment alone."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parent.parent
NOTEBOOK = ROOT / "colab" / "paints_undo.ipynb"


@pytest.fixture
def notebook() -> nbformat.NotebookNode:
    return nbformat.read(NOTEBOOK, as_version=4)


def texts(cell: nbformat.NotebookNode) -> str:
    return "".join(output.get("text", "") for output in cell.outputs)


def test_it_is_kept_without_outputs(notebook):
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert len(code) == 5 and not any(cell.outputs or cell.execution_count for cell in code)
    assert notebook.metadata.accelerator == "GPU" and notebook.metadata.colab.gpuType == "T4"


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_every_cell_runs(notebook, tmp_path, monkeypatch):
    settings = {"MODELS": "mini", "SAMPLING_STEPS": "1", "OPERATION_STEPS": "999", "SHARE": "0"}
    for name, value in settings.items():
        monkeypatch.setenv(f"PAINTS_UNDO_{name}", value)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # the installation that the first cell finds
    client = NotebookClient(notebook, timeout=1200, kernel_name="python3", resources={"metadata": {"path": tmp_path}})
    with client.setup_kernel():
        for index, cell in enumerate(notebook.cells):
            client.execute_cell(cell, index)
        install, first, own, published, app = (cell for cell in notebook.cells if cell.cell_type == "code")
        assert "is ready" in texts(install) and "girl.png" in texts(own)
        for cell, last in ((first, "video, encoding"), (published, "segments, decoding")):
            shown = [kind for output in cell.outputs for kind in output.get("data", {})]
            assert "image/png" in shown and "text/html" in shown and last in texts(cell)
        assert "mini on cpu; plan" in texts(published) or "mini on cuda" in texts(published)
        chosen = "os.environ['PAINTS_UNDO_MODELS'] = 'strokes'"
        notebook.cells.append(nbformat.v4.new_code_cell(f"{chosen}\n{published.source}"))
        without_gpu = client.execute_cell(notebook.cells[-1], len(notebook.cells) - 1)
        assert "There is no GPU here" in texts(without_gpu)
        address = texts(app).split()[-1]
        with urllib.request.urlopen(address, timeout=60) as answer:
            assert answer.status == 200
    assert (tmp_path / "outputs" / "first" / "timelapse.mp4").stat().st_size > 0


def test_without_an_installation_or_a_source_it_says_what_to_do(notebook, tmp_path):
    cell = next(cell for cell in notebook.cells if cell.cell_type == "code")
    (tmp_path / "cell.py").write_text(cell.source)
    # -I: neither this folder nor PYTHONPATH is looked in; -S: nor what is installed
    done = subprocess.run([sys.executable, "-I", "-S", "cell.py"], cwd=tmp_path, capture_output=True, text=True, env={})
    assert done.returncode == 1 and "write its git address or folder into SOURCE" in done.stderr
    assert "Traceback" not in done.stderr
    for needed in ("paints_undo/__init__.py", "requirements.txt"):  # as in a checkout, which has nothing to install
        (tmp_path / needed).parent.mkdir(exist_ok=True)
        (tmp_path / needed).touch()
    (tmp_path / "colab").mkdir()
    written = cell.source.replace("    install(source)", "    raise SystemExit(f'from {source}')")
    (tmp_path / "cell.py").write_text(written)
    isolated = [sys.executable, "-I", "-S", "../cell.py"]
    done = subprocess.run(isolated, cwd=tmp_path / "colab", capture_output=True, text=True, env={})
    assert done.stderr.strip() == f"from {tmp_path.resolve()}"
