"""The openly licensed art behind the data set: which packages, which versions, and how their pictures get tags.

Nothing of it is committed. npm packages are fetched by name and version into a cache folder; DiceBear's styles are a
Python package of the `train` extra. Credits stand in NOTICE.
"""

from __future__ import annotations

import functools
import hashlib
import json
import logging
import re
import subprocess
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)

PACKAGES = {
    # name and version: SHA-256 of the file that `npm pack` writes; licences are MIT, Apache-2.0 and MIT
    "@iconify-json/fluent-emoji@1.2.7": "8044210dbf11e016d4de85f15d01a243423bd832457e7e2491df1b751c0e272b",
    "@iconify-json/noto@1.2.9": "3e918d88fc945c0bb3d468dbace6f88caef67f01c9f0e7bcae0915a042e8f1ad",
    "emojibase-data@17.0.0": "d01d0e2ca4e22cb402679532155342c71e2e871f25c32223c013b8b166ebdf5a",
}
ART_FOLDER = Path.home() / ".cache" / "paints_undo" / "art"

SKIN_TONES = re.compile(r"skin|-(dark|light|medium)$|medium-")
LEFT_OUT = re.compile(
    r"flag|keycap|button|input-|-arrow|letter|clock|oclock|-thirty|sign$|symbol|^japanese|square$|hole$"
)
"""Signs, letters, clock faces and flags: no drawings, and of no use as a prop."""


@dataclass(frozen=True)
class VectorPicture:
    """One vector picture: a unique `name`, its SVG text, and danbooru-style `tags`."""

    name: str
    svg: str
    tags: tuple[str, ...]


def fetch() -> None:
    """Put every npm package of PACKAGES into ART_FOLDER unless it is there. Raises RuntimeError when that fails."""
    ART_FOLDER.mkdir(parents=True, exist_ok=True)
    for package, sha256 in PACKAGES.items():
        path = archive_of(package)
        if not path.exists():
            log.info("fetching %s", package)
            done = subprocess.run(["npm", "pack", package], cwd=ART_FOLDER, capture_output=True, text=True, check=False)
            if done.returncode or not path.exists():
                raise RuntimeError(f"npm could not fetch {package} into {ART_FOLDER}: {done.stderr.strip()[-300:]}")
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if found != sha256:
            raise RuntimeError(f"{path} has SHA-256 {found}, expected {sha256}; delete the file and fetch it again")


def archive_of(package: str) -> Path:
    """The file of a package, as `npm pack` names it."""
    return ART_FOLDER / f"{package.lstrip('@').replace('/', '-').replace('@', '-')}.tgz"


def is_held_out(name: str) -> bool:
    """Whether a picture's name falls into the 5 % that training never sees."""
    return zlib.crc32(name.encode()) % 20 == 0


@functools.cache
def load_emoji() -> dict[str, VectorPicture]:
    """Every usable emoji of both sets, by name (`fluent/fox`); the same emoji of two sets is held out in both."""
    described = _descriptions()
    pictures = {}
    for package in list(PACKAGES)[:2]:
        prefix = "fluent" if "fluent" in package else "noto"
        icons = _read_json(package, "icons.json")
        hexcodes = {name: code for code, name in _read_json(package, "chars.json").items()}
        for slug, icon in icons["icons"].items():
            if SKIN_TONES.search(slug) or LEFT_OUT.search(slug) or icon.get("hidden"):
                continue
            tags = described.get(_plain(hexcodes.get(slug, ""))) or described.get(slug)
            if tags is None:
                continue
            box = f"0 0 {icon.get('width', icons.get('width', 16))} {icon.get('height', icons.get('height', 16))}"
            pictures[f"{prefix}/{slug}"] = VectorPicture(f"{prefix}/{slug}", svg_document(box, icon["body"]), tags)
    return pictures


def svg_document(view_box: str, body: str) -> str:
    """A whole SVG text around some markup."""
    namespaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f'<svg {namespaces} viewBox="{view_box}">{body}</svg>'


def _descriptions() -> dict[str, tuple[str, ...]]:
    """Tags of every emoji, by plain hexcode and by slug: its name, its kind, and what is commonly said of it."""
    groups = _read_json("emojibase-data@17.0.0", "meta/groups.json")["subgroups"]
    found = {}
    for emoji in _read_json("emojibase-data@17.0.0", "en/data.json"):
        kind = groups.get(str(emoji.get("subgroup")), "object").replace("-", " ")
        names = [emoji["label"].lower(), kind, *emoji.get("tags", [])[:6]]
        tags = tuple(dict.fromkeys(re.sub(r"[^a-z0-9' ]+", " ", name).strip() for name in names))
        found[_plain(emoji["hexcode"].lower())] = tags
        found[re.sub(r"[^a-z0-9]+", "-", emoji["label"].lower()).strip("-")] = tags
    return found


def _plain(hexcode: str) -> str:
    return hexcode.replace("-fe0f", "")


def _read_json(package: str, member: str) -> dict:
    with tarfile.open(archive_of(package)) as archive:
        file = archive.extractfile(f"package/{member}")
        if file is None:
            raise RuntimeError(f"{package} in {ART_FOLDER} has no file {member}; delete its archive and fetch it again")
        return json.load(file)
