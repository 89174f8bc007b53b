"""Content credentials: signed with a throwaway key, read back, and broken by any change."""

import sys
from pathlib import Path

import numpy as np
import pytest
from throwaway_certificate import write_certificate

from paints_undo.errors import InputError
from paints_undo.pictures.pixels import encode_png, read_picture
from paints_undo.pictures.video import read_video, write_video
from paints_undo.provenance.embedding import embed
from paints_undo.provenance.metadata import read_record
from paints_undo.provenance.records import GIVEN, Record
from paints_undo.run.folder import RunFolder
from paints_undo.run.timeline import Keyframe, Timeline
from paints_undo.verification.content_credentials import Credentials, Signature, read_signature, sign_file, sign_run

RECORD = Record("timelapse", settings={"models": {"name": "mini"}}, version="0.1.0", id="abc")
PICTURE = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
SIGNED = Signature("Throwaway", intact=True, trusted=False)  # nobody vouches for a throwaway certificate


@pytest.fixture(scope="module")
def credentials(tmp_path_factory):
    return Credentials(*write_certificate(tmp_path_factory.mktemp("certificate")))


@pytest.fixture
def files(tmp_path):
    (tmp_path / "a.png").write_bytes(embed(encode_png(PICTURE), RECORD))
    write_video([PICTURE] * 3, tmp_path / "a.mp4", 4, RECORD)
    return tmp_path / "a.png", tmp_path / "a.mp4"


def test_signed_and_read_back_and_nothing_lost(files, credentials):
    before = read_picture(files[0]), read_video(files[1])
    for file in files:
        assert read_signature(file) is None
        sign_file(file, RECORD, credentials)
        assert read_signature(file) == SIGNED
        assert read_record(file) == RECORD
    for one, other in zip(before, (read_picture(files[0]), read_video(files[1])), strict=True):
        assert np.array_equal(one, other)
    assert sorted(each.name for each in files[0].parent.iterdir()) == ["a.mp4", "a.png"]
    once = files[0].read_bytes()
    sign_file(files[0], RECORD, credentials)  # a signed file is not signed again
    assert files[0].read_bytes() == once


def test_a_picture_that_a_person_gave_is_not_signed(files, credentials):
    before = files[0].read_bytes()
    sign_file(files[0], Record("artwork", GIVEN), credentials)
    assert files[0].read_bytes() == before and read_signature(files[0].with_suffix(".txt")) is None


@pytest.mark.parametrize("which", [0, 1])
def test_a_change_after_signing_shows(files, credentials, which):
    sign_file(files[which], RECORD, credentials)
    changed = bytearray(files[which].read_bytes())
    changed[-200] ^= 1
    files[which].write_bytes(changed)
    assert not read_signature(files[which]).intact


def test_the_credentials_say_what_the_record_says(files, credentials):
    c2pa = pytest.importorskip("c2pa")
    sign_file(files[0], RECORD, credentials)
    with c2pa.Reader(files[0]) as reader:
        manifest = reader.get_active_manifest()
    labelled = {each["label"]: each["data"] for each in manifest["assertions"]}
    assert labelled["c2pa.actions.v2"]["actions"][0]["digitalSourceType"] == RECORD.digital_source_type
    assert Record.from_dict(labelled["paints-undo.record"]) == RECORD
    assert manifest["claim_generator_info"][0]["name"] == "Paints-UNDO"


def test_a_run_is_signed_where_it_is_looked_at(tmp_path, credentials):
    run = RunFolder.create(tmp_path / "run", {}, Timeline((Keyframe(400, 2, 3),), 1), PICTURE)
    drawn, own = run.save_keyframe("0400-1", PICTURE), run.save_keyframe("0600-own-1", PICTURE)
    run.save_timelapse(np.stack([PICTURE] * 2), 4)
    sign_run(run.path, credentials)
    assert read_signature(drawn) == read_signature(run.timelapse_file) == SIGNED
    assert read_signature(own) is None and read_signature(run.path / "artwork.png") is None


def test_a_key_that_does_not_serve_is_one_sentence(files, credentials, tmp_path):
    (tmp_path / "odd.pem").write_text("no key")
    (tmp_path / "empty.pem").write_text("")
    before = files[0].read_bytes()
    for key, certificate, said in (
        (tmp_path / "odd.pem", credentials.certificate, "the C2PA key odd.pem is no private key in PEM format"),
        (credentials.key, tmp_path / "empty.pem", "cannot sign a.png"),
        (write_certificate(tmp_path)[0], credentials.certificate, "cannot sign a.png"),
    ):
        with pytest.raises(InputError, match=said) as refused:
            sign_file(files[0], RECORD, Credentials(key, certificate))
        assert "\n" not in str(refused.value)
    assert files[0].read_bytes() == before
    with pytest.raises(InputError, match="the C2PA key is 'nowhere', which is no file"):
        Credentials(Path("nowhere"), credentials.certificate)


def test_without_the_library(credentials, monkeypatch):
    monkeypatch.setitem(sys.modules, "c2pa", None)
    with pytest.raises(InputError, match="pip install"):
        Credentials(credentials.key, credentials.certificate)
