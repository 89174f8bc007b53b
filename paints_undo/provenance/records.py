"""What a picture or video says about itself: a simulated drawing process, made by AI, from which artwork and how.

One record, two forms: JSON, which this program and other scripts read, and an XMP packet, which photo programs,
agencies and search engines read.  XMP is ISO 16684-1; the property that says "made by AI" is the digital source type of
the IPTC Photo Metadata Standard (2025.1, with its fields on AI systems), its values those of cv.iptc.org.
"""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

from paints_undo.errors import InputError

PROGRAM = "Paints-UNDO"
FORMAT = 2  # of the settings in it, as in run.json
LONGEST = 2**20  # bytes of a record; the longest prompts and 32 keyframes need a tenth of that

_SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
# What is in a file -> what the vocabulary calls that, and the sentence for people.
MADE = "made"  # drawn by the networks, all of it
MIXED = "mixed"  # pictures drawn by the networks beside the artwork or a person's own
GIVEN = "given"  # a picture as a person gave it; whoever made it, this program did not
CONTENTS = {
    MADE: (
        _SOURCE_TYPES + "trainedAlgorithmicMedia",
        "Simulated drawing process, made by AI: a guess how the artwork could have been drawn, not a recording of it.",
    ),
    MIXED: (
        _SOURCE_TYPES + "compositeSynthetic",
        "Artwork together with a simulated drawing process, made by AI: a guess how it could have been drawn, "
        "not a recording of it.",
    ),
    GIVEN: (None, "Picture given by a person, the start of a simulated drawing process; Paints-UNDO did not make it."),
}

_NAMESPACES = {
    "x": "adobe:ns:meta/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "dc": "http://purl.org/dc/elements/1.1/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "paintsundo": "urn:paints-undo:record/",
}
_PACKET = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>{}<?xpacket end="r"?>'
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Record:
    """What one file is. All values are plain, as JSON gives them back."""

    piece: str  # artwork, keyframe, frame, timelapse, or what an export is called
    contents: str = MADE  # one of CONTENTS
    artwork: dict[str, Any] = field(default_factory=dict)  # sha256 of its RGB bytes row by row, width, height
    settings: dict[str, Any] = field(default_factory=dict)  # as in run.json: options, models, device, dtype, ...
    timeline: dict[str, Any] = field(default_factory=dict)  # as in run.json
    version: str = ""  # of this program
    packages: dict[str, str] = field(default_factory=dict)  # versions of the packages that can change pixels
    id: str = ""  # of the run
    format: int = FORMAT

    def __post_init__(self) -> None:
        if self.contents not in tuple(CONTENTS):  # a tuple: what is looked for may be anything
            raise InputError(
                "contents of a record is {value!r}; use one of {choices}", self.contents, ", ".join(CONTENTS)
            )
        kinds = {"piece": str, "artwork": dict, "settings": dict, "timeline": dict, "version": str, "packages": dict}
        for name, kind in {**kinds, "id": str, "format": int}.items():
            if type(getattr(self, name)) is not kind:
                raise InputError(
                    "the settings in this file are damaged ({name} is no {kind}); use another file", name, kind.__name__
                )

    @property
    def statement(self) -> str:
        """What the file is, as one sentence for people."""
        return CONTENTS[self.contents][1]

    @property
    def digital_source_type(self) -> str | None:
        """The address of the IPTC term; None for a picture of which this program does not know how it was made."""
        return CONTENTS[self.contents][0]

    @property
    def made_by_ai(self) -> bool:
        """Whether anything in the file was drawn by networks of this program."""
        return self.contents != GIVEN

    @property
    def program(self) -> str:
        """The program and its version."""
        return f"{PROGRAM} {self.version}".strip()

    @property
    def models(self) -> str:
        """The model family and its revision; empty where the settings tell none."""
        models = self.settings.get("models")
        given = [models.get(name) for name in ("name", "revision")] if isinstance(models, dict) else []
        return " ".join(part for part in given if isinstance(part, str) and part)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, with the statements that follow from them; :meth:`from_dict` gives the record back."""
        stated = {"program": PROGRAM, "statement": self.statement, "digital_source_type": self.digital_source_type}
        return {**stated, **dataclasses.asdict(self)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Record:
        """The record in what to_dict() gave, or in a description of an earlier version.

        Raises InputError, one sentence, where it is of another program or damaged. What other fields say is left out.
        """
        if values.get("program") != PROGRAM:
            raise InputError(
                "the settings in this file are of another program; use a PNG or MP4 that this program wrote"
            )
        own = {each.name for each in dataclasses.fields(cls)}
        piece = values.get("piece", "")
        earlier = {"piece": piece, "contents": GIVEN if piece == "artwork" else MADE}
        return cls(**{**earlier, **{name: value for name, value in values.items() if name in own}})

    def to_json(self) -> str:
        """One line of JSON, in ASCII: it survives every kind of text field."""
        return json.dumps(self.to_dict(), allow_nan=False)


def parse(text: bytes) -> dict[str, Any]:
    """The JSON object in a text. Raises InputError, one sentence."""
    try:
        values = json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise InputError("the settings in this file are of another program or damaged; use another file")
    return values


def xmp_packet(record: Record, title: str = "", language: str = "") -> bytes:
    """The record as an XMP packet, UTF-8: what any program shows that knows XMP, and all of it under our own name.

    title and language: of a document, where it has them.
    """
    for prefix, address in _NAMESPACES.items():
        ElementTree.register_namespace(prefix, address)
    top = ElementTree.Element(_named("x:xmpmeta"))
    about = ElementTree.SubElement(ElementTree.SubElement(top, _named("rdf:RDF")), _named("rdf:Description"))
    about.set(_named("rdf:about"), "")
    options = record.settings.get("options")
    keyframes = options.get("keyframes") if isinstance(options, dict) else None
    prompt = keyframes.get("prompt") if isinstance(keyframes, dict) else None
    ai = {
        "Iptc4xmpExt:DigitalSourceType": record.digital_source_type,
        "Iptc4xmpExt:AISystemUsed": record.models and f"{PROGRAM}, model family {record.models}",
        "Iptc4xmpExt:AISystemVersionUsed": record.version,
        "Iptc4xmpExt:AIPromptInformation": prompt if isinstance(prompt, str) else None,
    }
    texts = {"xmp:CreatorTool": record.program, **(ai if record.made_by_ai else {})}
    for name, text in {**texts, "paintsundo:Record": record.to_json()}.items():
        if text:
            ElementTree.SubElement(about, _named(name)).text = _NOT_IN_XML.sub("\ufffd", text)
    document = ("dc:title", "rdf:Alt", title), ("dc:language", "rdf:Bag", language)
    for name, kind, text in (("dc:description", "rdf:Alt", record.statement), *document):
        if text:
            listed = ElementTree.SubElement(ElementTree.SubElement(about, _named(name)), _named(kind))
            item = ElementTree.SubElement(listed, _named("rdf:li"))
            item.text = _NOT_IN_XML.sub("\ufffd", text)
            if kind == "rdf:Alt":  # a text in several languages, of which there is one
                item.set("{http://www.w3.org/XML/1998/namespace}lang", "x-default")
    return _PACKET.format(ElementTree.tostring(top, encoding="unicode")).encode("utf-8")


def read_xmp_packet(packet: bytes) -> dict[str, Any] | None:
    """The values of the record in an XMP packet, not yet checked; None where it holds none of this program.

    Raises InputError, one sentence, where there is one and it is damaged.
    """
    try:
        text = packet.decode("utf-8").strip("\0\r\n\t ")
        # no XMP needs a document type; entities that grow without end need one
        top = None if "<!" in text else ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError):
        return None
    if top is None:
        return None
    found = next(top.iter(_named("paintsundo:Record")), None)
    return None if found is None else parse((found.text or "").encode("utf-8", "replace"))


def _named(name: str) -> str:
    prefix, _, local = name.partition(":")
    return f"{{{_NAMESPACES[prefix]}}}{local}"
