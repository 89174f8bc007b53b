"""Everything the page can do, without a widget: runs of a visitor, their timelines, and the work on them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from paints_undo import validation
from paints_undo.errors import CheckpointError, InputError
from paints_undo.options import UndoOptions
from paints_undo.run.timeline import Timeline
from paints_undo.web import edits, limits, recipes, settings
from paints_undo.web.engine import EngineOnUse
from paints_undo.web.exporting import start_export
from paints_undo.web.history import History, message, title_of
from paints_undo.web.operations import canvases_of, operations_of
from paints_undo.web.playable import PlayableRun
from paints_undo.web.restoring import may_be_picture, read_settings
from paints_undo.web.uploads import picture_of, uploaded
from paints_undo.web.views import card_of, row_of, state_of, summary_of, view_of
from paints_undo.web.work import WORK, frame_files, give_up, start

MOST_JOBS = 16  # of one visitor, waiting or at work


class Studio:
    """The runs of all visitors under one folder, each visitor's apart from the others'.

    visitor: a secret that the visitor's browser keeps.  A run of another visitor is answered as if it did not exist.
    Every method raises InputError or CheckpointError with one sentence where it cannot do what is asked.
    A path is that of an uploaded file; any other file of this computer is refused.

    Settings are flat and plain: the fields of KeyframeOptions under their own names (prompt, negative_prompt,
    operation_steps, width, height, seed, sampling_steps, guidance_scale, long_prompt), those of SegmentOptions
    (video_prompt, video_seed, video_sampling_steps, video_guidance_scale, video_long_prompt, frame_stride,
    guidance_interval, reuse_interval), fps, mark, fit ("pad" shows the whole picture; "crop", the published family's
    default, fills the size and cuts, as the original), and, on the way in, `size`: "picture" (the picture's shape at
    the family's area, the default when no width and height are given) or "family" (its fixed size, the published
    family's default), and `timeline` (as restore gives). Either fit goes with either size: a fixed size promises so
    many pixels, and says nothing of what is cut off for them.

    Message keys: "" (nothing to say), "opened", "prompt_written", "keyframes_ready" {count}, "video_ready" {frames},
    "cancelled", "paused", "unfinished" (found after a restart: offer resume), "failed" {sentence}, "internal_error",
    "settings_changed", "keyframe_added" {step}, "keyframe_deleted" {step}, "keyframe_rerolled" {step, seed},
    "all_rerolled" {seed}, "process_rerolled" {seed} (all canvases of a drawing in strokes), "keyframe_locked" {step},
    "keyframe_unlocked" {step}, "keyframe_replaced" {step},
    "keyframe_fitted" {step, from_width, from_height, width, height} (replaced by a picture of another shape),
    "segment_redone" {index, seed}, "branched" {step}, "duplicated", "recipe_applied" {name},
    "recipe_changes_nothing" {name}, "restored", "undone", "redone", "exports_ready" {count},
    "export_failed" {sentence}. The sentence is a record of errors.Sentence.
    Job stages: "" (getting ready), "tags", "keyframes", "segments", "video", "export"; details: "", "tagging",
    "preparing", "conditions", "sampling", "decoding", "planning", "drawing", "encoding", of an export its format.
    """

    def __init__(self, engine: EngineOnUse, out: Path) -> None:
        self._engine = engine
        self.out = out
        self._history = History(out)
        self._tokens = lru_cache(256)(self._count_tokens)

    @property
    def default_options(self) -> UndoOptions:
        """The family's defaults; the published ones while its files are missing."""
        return self._engine.default_options

    def family(self, visitor: str) -> dict[str, Any]:
        """What is worked with: {"name", "sentences": which family and where, what the other one is, how to get it}.

        {"sentences": what is missing and how to get it, "missing": True} while there is none.
        """
        try:
            sentences = [self._engine.description(), *self._engine.alternative()]
            return {"name": self._engine.find().name, "sentences": sentences}
        except CheckpointError as error:
            return {"sentences": [error.sentence], "missing": True}

    def count_tokens(self, visitor: str, prompt: str) -> int:
        """How many tokens the keyframes' text encoder makes of a prompt; 0 while there are no weights."""
        return self._tokens(validation.text("prompt", prompt))

    # Runs

    def open(self, visitor: str, artwork: str | Path | np.ndarray, settings: dict[str, Any] | None = None) -> str:
        """A new run from an artwork, nothing computed yet; its run id."""
        with picture_of(artwork) as picture:
            self._history.put_back(visitor, picture)
            title = "" if isinstance(artwork, np.ndarray) else Path(artwork).stem
            return self._new_run(visitor, picture, {} if settings is None else settings, title)

    def runs(self, visitor: str) -> list[dict[str, Any]]:
        """The visitor's runs, newest first: run, title, state, created (seconds), thumbnail, frame_count, parent.

        With them the seed and `drawn`, the paths of the keyframes that are there, first stroke first.
        """
        return [row_of(entry) for entry in self._history.entries(visitor)]

    def side_by_side(self, visitor: str, run_ids: list[str]) -> list[dict[str, Any]]:
        """Of each of some runs that is still there what runs() tells, and how far it is.

        share (0..1 of its job, None where that is not known), preview and film (paths, None while there is none).
        """
        wanted = run_ids if isinstance(run_ids, list) else []
        entries = {entry.id: entry for entry in self._history.entries(visitor)}
        return [card_of(entries[run_id]) for run_id in wanted if run_id in entries]

    def rename(self, visitor: str, run_id: str, title: str) -> None:
        """Give a run another title; at most 100 characters of it are kept."""
        self._history.entry(visitor, run_id).note(title=title_of(validation.text("title", title)))

    def view(self, visitor: str, run_id: str) -> dict[str, Any]:
        """Everything the page shows of a run, as plain values; decodes no picture.

        Beside what runs() tells: message {key, values}, job (None or number, stage, detail, done, total, ahead,
        elapsed_s, outlook of the whole {share, left_s, next_s, age_s}, cancelling), artwork, settings,
        keyframes (step, seed, state, locked, own, path), segments (index, from, to, seed, state), video,
        frames (paths, first stroke first), exports (path, name, size, picture), preview, undoable and redoable (edits
        that can be taken back, or done again) and version.
        """
        return view_of(self._history.entry(visitor, run_id))

    def version(self, visitor: str, run_id: str) -> int:
        """A number that changes whenever the view would: cheap enough to ask for several times a second."""
        return self._history.entry(visitor, run_id).version

    def operations(self, visitor: str, run_id: str) -> dict[str, Any]:
        """The phases, layers and ways of the pen of a drawing in strokes."""
        return operations_of(self._history.entry(visitor, run_id))

    def canvases(
        self, visitor: str, run_id: str, operation: int, count: int = 1, hidden: Sequence[str] = ()
    ) -> list[str]:
        """The canvas after so many operations of a drawing in strokes, and those that follow, as data: addresses."""
        return canvases_of(self._history.entry(visitor, run_id), operation, count, hidden)

    def duplicate(self, visitor: str, run_id: str) -> str:
        """Another run with everything that this one has; its run id."""
        entry = self._history.entry(visitor, run_id)
        run = entry.run.copied_to(self._history.new_folder())
        copied = self._history.add(visitor, run, entry["title"], entry.id, message("duplicated"))
        copied.note(frames=entry["frames"], state="finished" if run.finished else "idle")
        return copied.id

    def branch(self, visitor: str, run_id: str, step: int, seed: int | None = None) -> str:
        """A new run with a keyframe that is ready as its artwork; its run id."""
        entry = self._history.entry(visitor, run_id)
        picture = edits.ready_keyframe(entry, step)
        same = settings.flat(entry.run.options) | ({} if seed is None else {"seed": seed})
        return self._new_run(visitor, picture, same, entry["title"], entry.id, message("branched", step=step))

    def delete(self, visitor: str, run_id: str) -> None:
        """Delete a run and everything in it."""
        self._history.delete(self._history.entry(visitor, run_id))

    def recipe(self, visitor: str, run_id: str, name: str) -> list[str]:
        """Apply "defaults", "coarse_sketches" or "draft" to a run, or "many": three further runs with other seeds.

        The run ids that now hold the recipe, the given one first; nothing is computed yet.
        """
        entry = self._history.entry(visitor, run_id)
        said = message("recipe_applied", name=name)
        if name != recipes.MANY:
            changes, before = recipes.changes_of(name, self.default_options), entry.run.options
            edits.set_settings(entry, changes, self._check)
            if entry.run.options == before:
                said = message("recipe_changes_nothing", name=name)
            entry.note(message=said)
            return [entry.id]
        options, artwork = entry.run.options, entry.run.artwork
        same = settings.flat(options)
        return [entry.id] + [
            self._new_run(visitor, artwork, same | {"seed": seed}, entry["title"], entry.id, said)
            for seed in recipes.other_seeds(options.keyframes.seed)
        ]

    def at_stake(
        self, visitor: str, run_id: str, recipe: str | None = None, settings: dict[str, Any] | None = None
    ) -> dict[str, int]:
        """How many drawn {"keyframes", "segments"} a recipe or settings would take away; nothing is changed."""
        entry = self._history.entry(visitor, run_id)
        if recipe is not None:
            given = recipes.changes_of(recipe, self.default_options)
        else:
            given = self._with_size(settings or {}, entry.run.artwork_size, always=False)
        return edits.at_stake(entry, given, self._check)

    def look_into(self, visitor: str, path: str | Path) -> dict[str, Any]:
        """What an uploaded file can be: {"picture": whether as an artwork}, and what restore() says where it can.

        Decided by what is in it.  Raises InputError, one sentence, for a file that is neither.
        """
        if not may_be_picture(uploaded(path)):
            return {"picture": False, **self.restore(visitor, path)}
        with picture_of(path), suppress(InputError):  # of these only the first says what is wrong with a picture
            return {"picture": True, **self.restore(visitor, path)}
        return {"picture": True}

    def restore(self, visitor: str, path: str | Path) -> dict[str, Any]:
        """What a PNG, MP4 or run.json that this program wrote was made with.

        {"settings": for open() or set_settings(), "run": its run id where it is here and the visitor's own, else None,
        "piece": "artwork", "keyframe", "frame", "timelapse" or "run"}.  An "artwork" can itself be given to open().
        """
        found, file_id = read_settings(uploaded(path))
        own = [entry for entry in self._history.entries(visitor) if file_id and entry.run.id == file_id]
        return {**found, "run": own[0].id if own else None}

    # Edits: refused while the run is at work

    def set_settings(self, visitor: str, run_id: str, **changes: Any) -> None:
        """Change settings.

        Other operation steps keep the keyframes they share with the present ones; another seed re-rolls all keyframes
        that are not locked, another video seed all segments.
        """
        entry = self._history.entry(visitor, run_id)
        given = self._with_size(changes, entry.run.artwork_size, always=False)
        edits.set_settings(entry, given, self._check)

    def edit(self, visitor: str, run_id: str, name: str, *place: Any, **values: Any) -> None:
        """One of the edits of paints_undo.run.edits.EDITS, by its name and with what that function takes."""
        edits.edit(self._history.entry(visitor, run_id), name, *place, **values)

    def take_back(self, visitor: str, run_id: str, again: bool = False) -> None:
        """Undo the last edit of a run, or do the last undone one again; nothing that is drawn is lost by it."""
        edits.take_back(self._history.entry(visitor, run_id), again)

    def replace_keyframe(self, visitor: str, run_id: str, step: int, picture: str | Path | np.ndarray) -> None:
        """A picture of one's own in place of a drawn keyframe, cut to the run's shape where it has another."""
        with picture_of(picture) as own:
            edits.put_picture(self._history.entry(visitor, run_id), step, own)

    # Work

    def generate(self, visitor: str, run_id: str, step: str) -> None:
        """Start a job.

        step: "prompt" (let the tagger write it), "keyframes" (draw those that are missing), "video" (draw whatever is
        missing, and write it), or "all" three, the prompt only where there is none and networks need one.
        """
        if not isinstance(step, str) or step not in WORK:
            raise InputError("this request is not understood; reload the page")
        entry, engine = self._history.entry(visitor, run_id), self._engine.get()
        self._refuse_many_of(visitor)
        self._check(entry.run.options)  # the timeline was edited since
        start(engine, entry, step)

    def export(self, visitor: str, run_id: str, formats: list[str], options: dict[str, Any]) -> None:
        """Start a job: write a finished run in other formats; options as ExportOptions.of() takes them."""
        if not run_id:
            raise InputError("there is no run yet: generate a video first")
        entry = self._history.entry(visitor, run_id)
        self._refuse_many_of(visitor)
        start_export(entry, formats, options)

    def cancel(self, visitor: str, run_id: str) -> None:
        """End the run's job before its next sampling step; what is finished stays."""
        entry = self._history.entry(visitor, run_id)
        with entry.lock:
            if entry.job and entry.at_work:
                entry.job.cancel()
                entry.touch()
            elif entry["wanted"]:
                give_up(entry, "cancelled", message("cancelled"))

    def pause(self, visitor: str, run_id: str) -> None:
        """Hold the run's job before its next sampling step; it makes way when others wait for the device."""
        entry = self._history.entry(visitor, run_id)
        with entry.lock:
            if entry.job and entry.at_work:
                entry.job.pause()
                entry.touch()

    def resume(self, visitor: str, run_id: str) -> None:
        """Go on with a run that is paused, or that a restart of the program found unfinished."""
        entry = self._history.entry(visitor, run_id)
        with entry.lock:
            if entry.job and entry.at_work:
                entry.job.resume()
                entry.touch()
            elif isinstance(entry["wanted"], dict):
                self.export(visitor, run_id, **entry["wanted"])
            elif entry["wanted"]:
                self.generate(visitor, run_id, entry["wanted"])

    def unfinished(self, visitor: str) -> list[dict[str, Any]]:
        """Runs, as in runs(), that were at work when the program ended, or are paused."""
        return [summary_of(entry) for entry in self._history.entries(visitor) if state_of(entry) == "paused"]

    def wait(self, visitor: str, run_id: str, timeout: float | None = None) -> bool:
        """Wait for the run's job to end; whether it has ended within `timeout` seconds."""
        job = self._history.entry(visitor, run_id).job
        return job is None or job.wait(timeout)

    def frame_files(self, visitor: str, run_id: str) -> list[Path]:
        """Every frame of a finished run as an exact PNG file, first stroke first."""
        return frame_files(self._history.entry(visitor, run_id))

    # The inside

    def _new_run(
        self,
        visitor: str,
        artwork: np.ndarray,
        changes: dict[str, Any],
        title: str,
        parent: str | None = None,
        said: dict[str, Any] | None = None,
    ) -> str:
        engine = self._engine.get()
        given = self._with_size(changes, artwork.shape[:2], always=True)
        record = given.pop("timeline", None)
        options = settings.changed(engine.default_options, given)
        timeline = Timeline.of(options.keyframes, options.segments)
        if record is not None:
            timeline = edits.without_own_pictures(Timeline.from_record(record))
            options = settings.agreeing(options, timeline)
        self._check(options)
        run = PlayableRun.create(self._history.new_folder(), engine.settings_of(options), timeline, artwork)
        run.make_thumbnail(artwork)
        return self._history.add(visitor, run, title, parent, said or message("opened")).id

    def _with_size(self, changes: dict[str, Any], shape: tuple[int, int], always: bool) -> dict[str, Any]:
        usual = "family" if self.default_options.fit == "crop" else "picture"  # crop: the original's, all of it
        return settings.with_size(changes, shape, self._engine.find(), usual if always else None)

    def _check(self, options: UndoOptions) -> None:
        """Raises InputError where the family cannot draw this, or one visitor would hold up all others with it."""
        self._engine.find().check(options)
        limits.check(options, self.default_options)

    def _count_tokens(self, prompt: str) -> int:
        try:
            return self._engine.get().count_tokens(prompt)
        except CheckpointError:
            return 0

    def _refuse_many_of(self, visitor: str) -> None:
        if sum(other.at_work for other in self._history.entries(visitor)) >= MOST_JOBS:
            raise InputError(
                "{count} of your pictures are being drawn or wait for it; let some be done first", MOST_JOBS
            )
