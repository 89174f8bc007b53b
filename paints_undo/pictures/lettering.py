"""Letters for text that people wrote, in whatever script: the first font on this computer that has all of them."""

from __future__ import annotations

import logging
from functools import lru_cache

from PIL import ImageFont

log = logging.getLogger(__name__)

# Pillow looks for these names in the system's font folders. The font that Pillow brings along has Latin letters only.
_FONTS = (
    "DejaVuSans.ttf",
    "NotoSansCJK-Regular.ttc",
    "NotoSerifCJK-Regular.ttc",
    "NotoSansJP-Regular.otf",
    "ipag.ttf",
    "YuGothM.ttc",
    "msgothic.ttc",
    "msyh.ttc",
    "Hiragino Sans GB.ttc",
    "Arial Unicode.ttf",
)

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont  # the latter where Pillow was built without FreeType


@lru_cache(64)
def fitting_font(text: str, size: int) -> tuple[Font, str]:
    """A font of this size in pixels, and the text as it can be written: letters that no font here has become "?"."""
    own = ImageFont.load_default(size)
    if _has_all(own, text):
        return own, text
    for name in _FONTS:
        try:
            font = ImageFont.truetype(name, size)
        except OSError:
            continue
        if _has_all(font, text):
            return font, text
    log.warning("no font on this computer has all letters of %r; install one, such as Noto Sans CJK", text)
    return own, "".join(letter if _has_all(own, letter) else "?" for letter in text)


def _has_all(font: Font, text: str) -> bool:
    """Whether the font draws each letter as something else than its sign for letters that it lacks."""
    lacking = font.getmask("\U0010ffff")
    return all(
        letter.isspace() or font.getmask(letter).size != lacking.size or bytes(font.getmask(letter)) != bytes(lacking)
        for letter in set(text)
    )
