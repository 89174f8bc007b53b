"""What programs that wait for a job are told: how far it is, and what went wrong with it."""

from __future__ import annotations

from typing import Any

from paints_undo.errors import InputError, Sentence

PULSE_S = 0.25  # between two looks, and two chances to notice that nobody waits any more


def progress_of(view: dict[str, Any]) -> tuple[float, str]:
    """How far the job of a Studio.view() is: the share of the whole, 0..1, and what is done just now."""
    job = view["job"]
    if job is None or not job["stage"]:
        return 0.0, f"waiting for {job['ahead']} others" if job and job["ahead"] else "getting ready"
    outlook = job["outlook"]
    return outlook["share"] if outlook else 0.0, f"{job['stage']}: {job['detail']} {job['done']} of {job['total']}"


def check_done(view: dict[str, Any]) -> None:
    """Raises InputError where the job that has ended did not do what it was for."""
    key = view["message"]["key"]
    if key in ("failed", "export_failed"):
        raise InputError(Sentence.from_record(view["message"]["values"]["sentence"]))
    if key == "internal_error":
        raise InputError("something went wrong inside the program; its log says what")
    if key in ("cancelled", "paused"):
        raise InputError("this was cancelled; what was finished is kept")
