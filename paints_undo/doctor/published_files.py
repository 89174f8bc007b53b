"""What the hub's cache holds of the published family, and whether the hub answers."""

from __future__ import annotations

from pathlib import Path

from huggingface_hub import constants
from huggingface_hub.utils import get_session

from paints_undo.doctor.findings import FINE, NOTE, Report
from paints_undo.errors import Sentence
from paints_undo.family.cache import find, original_caches, own_cache
from paints_undo.family.downloads import wrong_setting
from paints_undo.family.released import files

PATIENCE = 3.0  # seconds


def examine(report: Report) -> None:
    """Add what is found to a report; nothing here keeps a run from succeeding whose files are there."""
    cache, wanted = own_cache(), list(files())
    here = sum(find(file, cache) is not None for file in wanted)
    begun, aside = size_of(cache, "*.partial"), size_of(cache, "*.damaged")
    text = Sentence("{here} of {count} published files are in the cache", here, len(wanted))
    if begun:
        text = Sentence("{found}, {begun:.0f} MB begun", text, begun / 1e6)
    if aside:
        text = Sentence("{found}, {aside:.0f} MB set aside as damaged may be deleted", text, aside / 1e6)
    report.add("cache", text, where=cache, files=here, of=len(wanted), begun=begun, damaged=aside)
    for other in original_caches():
        report.add("cache", Sentence("the original program's is here, too"), where=other)
    report.add("hub", *hub_answer(), endpoint=constants.ENDPOINT)


def size_of(cache: Path, pattern: str) -> int:
    """Bytes of the published repositories' files of this pattern."""
    folders = {cache / f"models--{file.repository.replace('/', '--')}" / "blobs" for file in files()}
    return sum(path.stat().st_size for folder in folders for path in folder.glob(pattern))


def hub_answer() -> tuple[Sentence, str]:
    """Whether the hub answers, in words, and the state of that finding."""
    if constants.HF_HUB_OFFLINE:
        return Sentence("HF_HUB_OFFLINE is set: nothing is downloaded"), NOTE
    try:
        status = get_session().head(constants.ENDPOINT, timeout=PATIENCE).status_code
    except Exception as error:  # the HTTP client's and the system's errors
        if wrong := wrong_setting():
            return wrong, NOTE
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        sentence = "{endpoint} does not answer ({reason}): downloads need a mirror (HF_ENDPOINT)"
        return Sentence(sentence, constants.ENDPOINT, reason), NOTE
    if status >= 500:
        sentence = "{endpoint} has trouble (status {status}): try later, or set HF_ENDPOINT to a mirror"
        return Sentence(sentence, constants.ENDPOINT, status), NOTE
    return Sentence("{endpoint} answers", constants.ENDPOINT), FINE
