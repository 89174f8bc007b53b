"""The published family: which files it has, how it gets here whole, and what is said when it does not."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants
from local_hub import COMMIT, LocalHub, local_hub
from reference import DATA
from safetensors.torch import save
from test_family_downloads import use

from paints_undo.errors import CheckpointError
from paints_undo.family import released, weights
from paints_undo.family.cache import digest_of, find
from paints_undo.family.choice import defaults_of
from paints_undo.family.model_family import PARTS, open_family
from paints_undo.family.released import download_released, files, find_released, tagger_files, weights_file
from paints_undo.family.weights import count_weights, load_part

NAMES = {"single_frame": "somebody/single", "multi_frame": "somebody/multi"}
UNET = "multi_frame/unet"


@pytest.fixture
def hub(tiny_family: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    """A hub that serves the tiny family as the published one, and an empty cache."""
    model, tags = tagger_files()
    with local_hub() as hub:
        use(hub, monkeypatch)
        hub.serve_family(tiny_family, NAMES)
        largest = weights_file("single_frame/unet")
        hub.contents[f"{NAMES['single_frame']}/{largest.path}"] = stand_in = save({"weight": torch.ones(3)})
        for file, name in ((model, "model.onnx"), (tags, "selected_tags.csv")):
            hub.contents[f"{file.repository}/{file.path}"] = (tiny_family / "tagger" / name).read_bytes()
        repositories = {checkpoint: (name, COMMIT) for checkpoint, name in NAMES.items()}
        monkeypatch.setattr(released, "REPOSITORIES", repositories)
        digests = {part: digest_of(tiny_family / part / PARTS[part].weights, "0" * 64) for part in released.SHA256}
        digests["single_frame/unet"] = sha256(stand_in).hexdigest()
        monkeypatch.setattr(released, "SHA256", digests)
        tagger = released.MODELS[released.DEFAULT_MODEL]
        digest = digest_of(tiny_family / "tagger" / "model.onnx", "0" * 64)
        changed = {released.DEFAULT_MODEL: type(tagger)(**{**vars(tagger), "model_sha256": digest})}
        monkeypatch.setattr(released, "MODELS", changed)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(released, "original_caches", list)
        yield hub


def gets(hub: LocalHub) -> list[str]:
    return [name for method, name, *_ in hub.got if method == "GET"]


def test_the_published_files() -> None:
    wanted = list(files())
    assert len(wanted) == 2 * 4 + 8 + 2 + 8  # tokenizer files, configurations, tagger, weights
    assert {(file.repository, file.revision) for file in wanted} == {
        ("lllyasviel/paints_undo_single_frame", "2184fb267be2c03bb106f9ba91b223d7dc94e4e3"),
        ("lllyasviel/paints_undo_multi_frame", "fd84e82a615dfcb759248cd1adcb8c1d85b99363"),
        ("lllyasviel/misc", "main"),
    }
    weights = {file.home.rsplit("/", 1)[0] for file in wanted if file.home.endswith(".safetensors")}
    assert {name.replace("/", "_") for name in weights} == {f.stem for f in (DATA / "released" / "keys").glob("*.json")}
    assert sum(file.sha256 is not None for file in wanted) == 4
    assert not any(file.path.endswith((".bin", ".ckpt", ".pt", ".py")) for file in wanted)


def test_another_cache_is_the_only_one(hub: LocalHub, tmp_path: Path) -> None:
    family = download_released(cache=tmp_path / "other")
    assert find_released(tmp_path / "other").folders == family.folders
    assert all(tmp_path / "other" in folder.parents for folder in family.folders.values())
    for cache, place in ((None, "cache"), (tmp_path / "none", "none")):
        with pytest.raises(CheckpointError, match=f"not in {tmp_path / place};"):
            find_released(cache)


def test_everything_is_fetched_once_and_a_family(hub: LocalHub) -> None:
    family = download_released()
    assert family.name == "released" and sorted(gets(hub)) == sorted(f"{f.repository}/{f.path}" for f in files())
    assert defaults_of(family).fit == "crop", "the original's framing gives the original's video"
    assert family.tagger_model.exists() and family.tagger_tags.read_text().startswith("tag_id")
    for part in PARTS:
        assert count_weights(family, part) > 0
    hub.got.clear()
    assert download_released() == find_released() == family and not hub.got  # nothing is asked for twice
    assert released.is_released_here()


def test_a_download_goes_on_with_what_is_lacking(hub: LocalHub) -> None:
    hub.faults[f"{NAMES['multi_frame']}/unet/model.safetensors"] = ["cut"] + ["500"] * 50
    with pytest.raises(CheckpointError, match="unet/model.safetensors of somebody/multi cannot be downloaded"):
        download_released()
    done = len(gets(hub))
    hub.faults.clear()
    hub.got.clear()
    download_released()
    assert len(gets(hub)) <= len(list(files())) - done + 8
    first = {name: first for method, name, first, _ in hub.got if method == "GET"}
    assert first[f"{NAMES['multi_frame']}/unet/model.safetensors"] > 0


def test_a_damaged_file_is_set_aside_and_fetched_once_more(hub: LocalHub) -> None:
    family = download_released()
    for part in (UNET, "single_frame/text_encoder"):  # with and without a published sha256
        blob = (family.part_folder(part) / PARTS[part].weights).resolve()
        blob.write_bytes(blob.read_bytes()[:-7] + b"another")
    hub.got.clear()
    download_released()
    assert len(gets(hub)) == 2


@pytest.mark.parametrize("damage", ["truncated", "nan"])
def test_weights_that_do_not_load_are_fetched_once_more(hub: LocalHub, damage: str) -> None:
    file = download_released().part_folder(UNET) / PARTS[UNET].weights
    spoil(file, damage)
    family = find_released()
    hub.got.clear()
    if damage != "nan":
        assert count_weights(family, UNET) > 0  # the plan reads headers before anything is loaded
    load_part(family, UNET, torch.float32)
    assert gets(hub) == [f"{NAMES['multi_frame']}/unet/model.safetensors"]
    assert len(list(released.own_cache().rglob("*.damaged"))) == 1


def spoil(file: Path, damage: str) -> None:
    content = file.read_bytes()
    file.resolve().write_bytes({"truncated": content[:-1000], "nan": content[:-400] + b"\xff" * 400}[damage])


def test_without_a_network_a_damaged_file_stays(hub: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
    family = download_released()
    spoil(family.part_folder(UNET) / PARTS[UNET].weights, "truncated")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(CheckpointError, match="HF_HUB_OFFLINE is set"):
        load_part(family, UNET, torch.float32)
    assert find(weights_file(UNET), released.own_cache()) is not None


def test_weights_that_stay_bad_are_fetched_only_once(hub: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"{NAMES['multi_frame']}/unet/model.safetensors"
    hub.contents[name] = hub.contents[name][:-1000]
    monkeypatch.setattr(released, "SHA256", {})
    family = download_released()
    hub.got.clear()
    with pytest.raises(weights.DamagedFile, match="model.safetensors is damaged"):
        load_part(family, UNET, torch.float32)
    assert len(gets(hub)) == 1


def test_a_folder_of_the_users_is_never_touched(tiny_family: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_family, tmp_path / "own")
    file = folder / UNET / PARTS[UNET].weights
    spoil(file, "truncated")
    before = file.read_bytes()
    with pytest.raises(weights.DamagedFile, match=str(file)):
        load_part(open_family(folder), UNET, torch.float32)
    assert file.read_bytes() == before and not list(folder.rglob("*.damaged"))


def test_from_a_folder_without_a_network(
    hub: LocalHub, tiny_family: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(CheckpointError, match="HF_HUB_OFFLINE is set"):
        download_released()
    with pytest.raises(CheckpointError, match="there is no folder"):
        download_released(tmp_path / "nowhere")
    monkeypatch.delitem(released.SHA256, "single_frame/unet")
    family = download_released(tiny_family)
    assert not hub.got and load_part(family, UNET, torch.float32) is not None
    assert family.tagger_model.read_bytes() == (tiny_family / "tagger" / "model.onnx").read_bytes()
    assert str(released.own_cache()) in str(family.folders["multi_frame"])


def test_a_file_of_a_folder_that_is_not_as_published_is_downloaded(
    hub: LocalHub, tiny_family: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(released.SHA256, "single_frame/unet")
    folder = shutil.copytree(tiny_family, tmp_path / "copied")
    spoil(folder / UNET / PARTS[UNET].weights, "nan")
    family = download_released(folder)
    assert gets(hub) == [f"{NAMES['multi_frame']}/unet/model.safetensors"]
    assert load_part(family, UNET, torch.float32) is not None


def test_the_original_programs_cache_is_used_as_it_is(
    hub: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    download_released()
    theirs = tmp_path / "Paints-UNDO" / "hf_download" / "hub"
    shutil.move(constants.HF_HUB_CACHE, theirs)
    shutil.rmtree(theirs / "models--lllyasviel--misc")  # its tagger lay in its own folder
    for file in tagger_files():
        (tmp_path / "Paints-UNDO" / file.path).write_bytes(hub.contents[f"{file.repository}/{file.path}"])
    monkeypatch.setattr(released, "original_caches", lambda: [theirs])
    hub.got.clear()
    family = find_released()
    assert family.folders["single_frame"].is_relative_to(theirs) and family.renew is None
    assert family.tagger_model == tmp_path / "Paints-UNDO" / tagger_files()[0].path
    assert load_part(family, UNET, torch.float32) is not None and not hub.got
    shutil.rmtree(theirs / "models--somebody--single" / "snapshots")  # half of it
    assert not released.is_released_here()
    download_released()  # copies what is there
    assert {name.partition("/s")[2].split("/")[0] for name in gets(hub)} == {"ingle"}


def test_too_little_room_is_said_before_the_first_byte(hub: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**6, 10**6, 1000))
    with pytest.raises(CheckpointError, match="set HF_HOME to a folder on another disk"):
        download_released()
    assert not gets(hub)


def test_what_is_not_there_is_named_with_the_remedy(hub: LocalHub) -> None:
    assert not released.is_released_here()
    with pytest.raises(CheckpointError) as refused:
        find_released()
    message = str(refused.value)
    assert "vocab.json of somebody/single and 25 more files are not in" in message and "\n" not in message
    assert "python -m paints_undo download" in message and str(released.own_cache()) in message


@pytest.mark.hub
def test_the_real_hub_has_every_file() -> None:
    for file in files():
        assert released.ask(file).size > 0


@pytest.mark.parametrize("here", [True, False])
def test_the_other_family_is_told_about(monkeypatch, here):
    monkeypatch.setattr(released, "is_released_here", lambda: here)
    for family in ("mini", "strokes"):
        text, how = released.what_else(family, "cpu")
        assert "7.6 GB" in text and text.endswith("hours.")
        assert ("--models released" in how) == here and ("paints_undo download" in how) == (not here)
        assert "hours" not in released.what_else(family, "cuda")[0]
    assert "--models strokes" in released.what_else("released", "cuda")[1]
