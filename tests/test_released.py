"""The published family: which files it has, and what is said when they are not there."""

from hashlib import sha256

import huggingface_hub
import pytest
from huggingface_hub.errors import LocalEntryNotFoundError
from reference import DATA

from paints_undo import released
from paints_undo.errors import CheckpointError


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A hub that serves the published configurations, and stand-ins for the weights; remembers what was asked."""
    asked = []

    def download(repository, path, revision, local_files_only):
        asked.append((repository, path, revision, local_files_only))
        checkpoint = repository.removeprefix("lllyasviel/paints_undo_")
        file = tmp_path / checkpoint / path
        file.parent.mkdir(parents=True, exist_ok=True)
        source = DATA / "released" / "configs" / checkpoint / path
        file.write_bytes(source.read_bytes() if source.exists() else path.encode())
        return str(file)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    tagger = tmp_path / "model.onnx", tmp_path / "tags.csv"
    monkeypatch.setattr(released.wd14_tagger, "download_tagger", lambda local_files_only: tagger)
    return asked


def test_every_part_is_fetched_at_its_pinned_revision(hub):
    family = released.find_released()
    assert len(hub) == 2 * 4 + 8 + 8  # tokenizer files, configurations, weights
    assert {(repository, revision) for repository, _, revision, _ in hub} == {
        ("lllyasviel/paints_undo_single_frame", "2184fb267be2c03bb106f9ba91b223d7dc94e4e3"),
        ("lllyasviel/paints_undo_multi_frame", "fd84e82a615dfcb759248cd1adcb8c1d85b99363"),
    }
    assert all(local for *_, local in hub)
    assert family.name == "released" and family.size_multiple == family.video_size_multiple == 64
    assert family.keyframe_size == (512, 640)


def test_downloaded_weights_are_compared_with_the_published_sha256(hub, monkeypatch):
    with pytest.raises(CheckpointError, match=r"vae/diffusion_\S+ .* has sha256 .* instead of 2be0a"):
        released.download_released()
    paths = {part: f"{part.split('/')[1]}/{released.PARTS[part].weights}" for part in released.SHA256}
    honest = {part: sha256(path.encode()).hexdigest() for part, path in paths.items()}
    monkeypatch.setattr(released, "SHA256", honest)
    assert released.download_released().name == "released"


def test_what_is_not_there_is_named_with_the_remedy(monkeypatch):
    def missing(*arguments, **options):
        raise LocalEntryNotFoundError("offline")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", missing)
    assert not released.is_released_here()
    with pytest.raises(CheckpointError) as refused:
        released.find_released()
    message = str(refused.value)
    assert "single_frame" in message and "python -m paints_undo download" in message and "\n" not in message


def test_a_failing_download_is_one_sentence(monkeypatch):
    def broken(*arguments, **options):
        raise OSError("connection reset\nsecond line")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", broken)
    with pytest.raises(CheckpointError, match=r"could not be downloaded \(OSError: connection reset\) to"):
        released.download_released()


def test_file_table_matches_the_published_parts():
    weights = [f"{checkpoint}/{path}" for checkpoint, path, _ in released.files() if path.endswith(".safetensors")]
    keys = {file.stem for file in (DATA / "released" / "keys").glob("*.json")}
    assert {name.rsplit("/", 1)[0].replace("/", "_") for name in weights} == keys
    assert all(len(digest) == 64 and part in released.PARTS for part, digest in released.SHA256.items())


@pytest.mark.hub
def test_the_real_hub_has_the_small_files():
    for checkpoint, path, _ in released.files():
        if not path.endswith(".safetensors"):
            assert released.fetch(checkpoint, path, local_files_only=False).stat().st_size > 0


@pytest.mark.parametrize("here", [True, False])
def test_the_other_family_is_told_about(monkeypatch, here):
    monkeypatch.setattr(released, "is_released_here", lambda: here)
    text = released.what_else("mini", "cpu")
    assert "7.6 GB" in text and text.endswith("hours.")
    assert ("--models released" in text) == here and ("paints_undo download" in text) == (not here)
    assert "hours" not in released.what_else("mini", "cuda")
    assert "--models mini" in released.what_else("released", "cuda")
