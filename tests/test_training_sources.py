import hashlib
import io
import json
import tarfile

import pytest

from paints_undo.training import sources
from paints_undo.training.sources import archive_of, fetch, is_held_out, load_emoji, svg_document


def pack(path, members):
    with tarfile.open(path, "w:gz") as archive:
        for name, value in members.items():
            data = json.dumps(value).encode()
            info = tarfile.TarInfo(f"package/{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def art(tmp_path, monkeypatch):
    """A folder with tiny packages of the same form as the real ones."""
    icons = {
        "width": 32,
        "icons": {"fox": {"body": "<g/>"}, "fox-dark": {"body": "<g/>"}, "stop-sign": {"body": "<g/>"}},
    }
    fox = {"label": "fox", "hexcode": "1F98A", "subgroup": 3, "tags": ["animal", "face"]}
    members = {
        "icons.json": icons,
        "chars.json": {"1f98a": "fox"},
        "meta/groups.json": {"subgroups": {"3": "animal-mammal"}},
        "en/data.json": [fox, {**fox, "label": "stop sign", "hexcode": "1F6D1"}],
    }
    packages = {package: pack(archive_of(package, tmp_path), members) for package in sources.PACKAGES}
    monkeypatch.setattr(sources, "PACKAGES", packages)
    return tmp_path


def test_emoji_get_their_tags_and_signs_are_left_out(art):
    emoji = load_emoji(art)
    assert set(emoji) == {"fluent/fox", "noto/fox"}
    assert emoji["fluent/fox"].tags == ("fox", "animal mammal", "animal", "face")
    assert 'viewBox="0 0 32 16"' in emoji["noto/fox"].svg


def test_present_packages_are_not_fetched_again(art, monkeypatch):
    monkeypatch.setattr(sources.subprocess, "run", lambda *a, **k: pytest.fail("npm was called"))
    fetch(art)


def test_a_package_that_was_tampered_with_is_refused(art):
    archive_of("@iconify-json/noto@1.2.9", art).write_bytes(b"something else")
    with pytest.raises(RuntimeError, match="delete the file"):
        fetch(art)


def test_about_one_name_in_twenty_is_held_out():
    share = sum(is_held_out(f"name-{number}") for number in range(4000)) / 4000
    assert 0.04 < share < 0.06


def test_a_document_carries_both_namespaces():
    assert "xmlns:xlink" in svg_document("0 0 1 1", "<g/>")
