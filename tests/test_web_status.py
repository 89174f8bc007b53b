"""The status line of the web app."""

from __future__ import annotations

from paints_undo.progress import Progress
from paints_undo.web import status
from paints_undo.web.jobs import Update


def update(progress: Progress | None, ahead: int = 0, left_s: float | None = None, cancelling: bool = False) -> Update:
    return Update(progress, ahead, elapsed_s=7.0, left_s=left_s, cancelling=cancelling)


def test_stage_step_and_time_left_are_said() -> None:
    line = status.working(update(Progress("keyframes", "sampling", 12, 50), left_s=95.0))
    assert "Drawing key frames: sampling 12 of 50" in line
    assert "about 1 min 35 s left" in line
    assert 'value="12" max="50"' in line


def test_waiting_loading_and_cancelling_are_said() -> None:
    assert "Waiting for 2 other pictures" in status.working(update(None, ahead=2))
    assert "Getting ready" in status.working(update(None))
    assert "Cancelling" in status.working(update(Progress("keyframes", "sampling", 1, 50), cancelling=True))


def test_what_others_wrote_is_escaped() -> None:
    for line in (status.failed("<script>alert(1)</script>"), status.done("<b>"),
                 status.working(update(Progress("x", "<i>", 1, 2)))):  # fmt: skip
        assert "<script" not in line and "<b>" not in line and "<i>" not in line
