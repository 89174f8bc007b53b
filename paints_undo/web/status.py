"""The status line of a step: what is happening, how far it is and how long it still takes."""

from __future__ import annotations

from html import escape

from paints_undo.progress import in_words
from paints_undo.web.jobs import Update

_STAGE_NAMES = {
    "tags": "Reading the picture",
    "keyframes": "Drawing key frames",
    "segments": "Drawing the frames between",
}


def working(update: Update) -> str:
    """HTML of a job under way: stage, step and time left over a progress bar."""
    if update.cancelling:
        return _line("Cancelling after this sampling step ...", "", bar='<progress aria-label="Cancelling"></progress>')
    if update.ahead:
        others = "one other picture" if update.ahead == 1 else f"{update.ahead} other pictures"
        return _line(f"Waiting for {others} ...", in_words(update.elapsed_s), bar='<progress aria-label="Waiting">')
    progress = update.progress
    if progress is None:
        return _line("Getting ready ...", in_words(update.elapsed_s), bar='<progress aria-label="Getting ready">')
    name = _STAGE_NAMES.get(progress.stage, progress.stage.capitalize())
    count = f"{progress.done} of {progress.total}" if progress.total > 1 else ""
    what = ": ".join((name, " ".join(filter(None, (progress.detail, count))))) if progress.detail or count else name
    left = in_words(update.elapsed_s) if update.left_s is None else f"about {in_words(update.left_s)} left"
    bar = f'<progress aria-label="{escape(name)}" value="{progress.done}" max="{max(progress.total, 1)}"></progress>'
    return _line(f"{what} ...", left, bar if progress.total > 1 else '<progress aria-label="Working"></progress>')


def done(sentence: str) -> str:
    """HTML of a finished step."""
    return _line(sentence, "", kind="done")


def failed(sentence: str) -> str:
    """HTML of a step that ended with an error; the sentence says what to do."""
    return _line(sentence, "", kind="failed")


def _line(what: str, aside: str, bar: str = "", kind: str = "working") -> str:
    # Only the sentence is announced by screen readers at its end; a counter read aloud every second helps nobody.
    live = "off" if kind == "working" else "polite"
    words = f"<span>{escape(what)}</span><span class='aside'>{escape(aside)}</span>"
    return f"<div class='status {kind}' role='status' aria-live='{live}'><div class='words'>{words}</div>{bar}</div>"
