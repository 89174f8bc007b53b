"""The record of a file: what it states, in JSON and XMP, and back."""

from __future__ import annotations

import dataclasses
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paints_undo.errors import InputError
from paints_undo.provenance.records import (
    CONTENTS,
    GIVEN,
    MADE,
    MIXED,
    PROGRAM,
    Record,
    parse,
    read_xmp_packet,
    xmp_packet,
)

SETTINGS = {
    "options": {"keyframes": {"prompt": 'a "quoted" <tag> & 絵 🎨 \x00 \ud800 \r\n', "seed": 2**53 + 1}},
    "models": {"name": "mini", "revision": "1"},
    "dtype": "float32",
}
RECORD = Record(
    "timelapse",
    artwork={"sha256": "ab" * 32, "width": 4, "height": 5},
    settings=SETTINGS,
    timeline={"artwork_seed": 1, "keyframes": []},
    version="0.1.0",
    packages={"torch": "2.13"},
    id="0123456789abcdef",
)
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
IPTC = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}"


def properties(packet: bytes) -> dict[str, str | None]:
    described = ElementTree.fromstring(packet.decode()).find(f"{RDF}RDF/{RDF}Description")
    return {each.tag: each.text for each in described}


def test_xmp_says_in_the_fields_of_the_standard_what_it_is():
    packet = xmp_packet(RECORD)
    assert packet.startswith(b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta ')
    assert packet.endswith(b'<?xpacket end="r"?>')
    said = properties(packet)
    assert said[IPTC + "DigitalSourceType"] == (
        "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
    )
    assert said[IPTC + "AISystemUsed"] == "Paints-UNDO, model family mini 1"
    assert said[IPTC + "AISystemVersionUsed"] == "0.1.0"
    assert said["{http://ns.adobe.com/xap/1.0/}CreatorTool"] == "Paints-UNDO 0.1.0"
    alternatives = ElementTree.fromstring(packet.decode()).find(f".//{RDF}Alt/{RDF}li")
    assert alternatives.text == RECORD.statement and "made by AI" in RECORD.statement
    assert set(alternatives.attrib.values()) == {"x-default"}


def test_what_ai_did_not_make_is_not_said_to_be():
    given_picture = dataclasses.replace(RECORD, piece="artwork", contents=GIVEN)
    assert not given_picture.made_by_ai and given_picture.digital_source_type is None
    assert "made by AI" not in given_picture.statement
    assert not [name for name in properties(xmp_packet(given_picture)) if name.startswith(IPTC)]
    mixed = dataclasses.replace(RECORD, contents=MIXED)
    assert mixed.digital_source_type.endswith("/compositeSynthetic") and mixed.made_by_ai
    assert {MADE, MIXED, GIVEN} == set(CONTENTS)


def test_descriptions_of_earlier_versions_are_read():
    earlier = {"program": PROGRAM, "format": 2, "piece": "keyframe", "id": "a", "artwork": {"sha256": "b"}}
    assert Record.from_dict(earlier) == Record("keyframe", artwork={"sha256": "b"}, id="a")
    assert Record.from_dict({**earlier, "piece": "artwork"}).contents == GIVEN
    assert Record.from_dict({**earlier, "of a later version": 1}).piece == "keyframe"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "of another program"),
        ({"program": "other"}, "of another program"),
        ({"program": PROGRAM, "piece": 3}, "damaged .piece is no str."),
        ({"program": PROGRAM, "piece": "x", "settings": []}, "damaged .settings is no dict."),
        ({"program": PROGRAM, "piece": "x", "format": True}, "damaged .format is no int."),
        ({"program": PROGRAM, "contents": "x"}, "contents of a record is 'x'; use one of made, mixed, given"),
        ({"program": PROGRAM, "contents": []}, "contents of a record is"),
    ],
)
def test_damaged_records_are_one_sentence(values, said):
    with pytest.raises(InputError, match=said) as refused:
        Record.from_dict(values)
    assert "\n" not in str(refused.value)
    with pytest.raises(InputError, match="damaged"):
        read_xmp_packet(b'<p:Record xmlns:p="urn:paints-undo:record/">{</p:Record>')


BOMB = b'<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><a>&b;</a>'


@pytest.mark.parametrize("packet", [b"", b"<", b"text", b"\xff\xfe<\0a\0", BOMB, "\ufeff".encode() + BOMB, b"<a/>"])
def test_packets_of_others_hold_no_record(packet):
    assert read_xmp_packet(packet) is None


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), plain, max_size=4), st.text())
def test_whatever_the_settings_are_they_come_back(settings, prompt):
    record = Record("frame", settings={**settings, "options": {"keyframes": {"prompt": prompt}}})
    assert (read := read_xmp_packet(xmp_packet(record))) and Record.from_dict(read) == record
    assert parse(record.to_json().encode("ascii")) == record.to_dict()


@given(st.binary(max_size=200))
def test_no_bytes_end_the_reader(packet):
    assert read_xmp_packet(packet) is None
