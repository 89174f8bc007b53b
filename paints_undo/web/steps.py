"""The three steps of the web app: each runs the engine as a job of its page and yields its status, then its result."""

from __future__ import annotations

import dataclasses
import logging
import secrets
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, TypeVar

import gradio as gr
import numpy as np

from paints_undo.checkpoints import ModelFamily
from paints_undo.errors import Cancelled, CheckpointError, InputError
from paints_undo.images import read_picture
from paints_undo.keyframes import KeyframeOptions
from paints_undo.pipeline import PaintsUndo, UndoOptions
from paints_undo.progress import OnProgress, Progress
from paints_undo.runs import RunFolder
from paints_undo.segments import SegmentOptions
from paints_undo.web import status
from paints_undo.web.jobs import Jobs

logger = logging.getLogger(__name__)

T = TypeVar("T")
Work = Callable[[OnProgress], T]


class Engine:
    """The pipeline, loaded when it is first asked for and asked for again after a failure.

    A page that was opened before the weights were there works without a restart once they are.
    """

    def __init__(self, load: Callable[[], PaintsUndo]) -> None:
        self._load = load
        self._loaded: PaintsUndo | None = None

    def get(self) -> PaintsUndo:
        """Return the pipeline. Raises CheckpointError saying which files are missing and how to get them."""
        if self._loaded is None:
            self._loaded = self._load()
        return self._loaded

    @property
    def family(self) -> ModelFamily | None:
        """The model family, or None while its files are missing."""
        try:
            return self.get().family
        except CheckpointError:
            return None

    @property
    def default_options(self) -> UndoOptions:
        """The family's defaults; the published ones while its files are missing."""
        return self.get().default_options if self.family else UndoOptions()

    def description(self) -> str:
        """Return which family is loaded, on which device and in which precision. Raises CheckpointError."""
        pipeline = self.get()
        dtype = str(pipeline.parts.dtype).removeprefix("torch.")
        return f"Model family {pipeline.family.name}, on {pipeline.parts.device} in {dtype}"


class Steps:
    """The functions behind the three buttons; results are kept in run folders under `out`."""

    def __init__(self, engine: Engine, out: Path) -> None:
        self._engine = engine
        self._out = out
        self._jobs = Jobs()

    def cancel(self, request: gr.Request) -> None:
        """Stop the step under way on the page that asks, before its next sampling step."""
        self._jobs.cancel(request.session_hash or "")

    def forget(self, request: gr.Request) -> list[Any]:
        """Clear what belonged to the picture before: prompt, key frames, video, frames and three status lines."""
        self.cancel(request)
        return ["", None, None, None, None, "", "", ""]

    def unlock(self, artwork: str | None, prompt: str | None, drawn: str | None, request: gr.Request) -> list[Any]:
        """Unlock the steps in order (a picture, then its prompt, then its key frames) and hide their Cancel buttons.

        Returns updates of the three pairs of buttons; none while a step of this page is under way.
        """
        if self._jobs.busy(request.session_hash or ""):
            return [gr.skip()] * 6
        ready = (artwork is not None, artwork is not None and bool(prompt and prompt.strip()), drawn is not None)
        return [part for open_ in ready for part in (gr.update(interactive=open_), gr.update(visible=False))]

    def generate_prompt(self, artwork: str, request: gr.Request) -> Iterator[tuple[Any, ...]]:
        """Describe a picture with comma-separated tags, the prompt of step 2.

        Args:
            artwork: the finished picture (PNG, JPEG, WebP, GIF, BMP or TIFF; at most 64 megapixels).

        Returns:
            The prompt.
        """

        def prepare() -> Work[str]:
            picture, engine = _read(artwork), self._engine.get()

            def work(on_progress: OnProgress) -> str:
                on_progress(Progress("tags", "", 0, 1))
                return engine.tag(picture)

            return work

        prompt = yield from self._follow(request, prepare, results=1)
        yield status.done("Prompt written. Change it as you like, then go on to step 2."), prompt

    def generate_keyframes(
        self,
        artwork: str,
        prompt: str,
        negative_prompt: str,
        operation_steps: list[int],
        seed: int,
        width: int,
        height: int,
        sampling_steps: int,
        guidance_scale: float,
        request: gr.Request,
    ) -> Iterator[tuple[Any, ...]]:
        """Draw earlier states of a picture's canvas, one for each operation step.

        Args:
            artwork: the finished picture.
            prompt: what the picture shows, best as /generate_prompt writes it; at most 2000 characters.
            negative_prompt: what the key frames should not show.
            operation_steps: states to draw, each 0 (finished) to 999 (first stroke), without repetition.
            seed: 0 to 50000; the same seed gives the same key frames.
            width: of the key frames in pixels.
            height: of the key frames in pixels.
            sampling_steps: 1 to 100; more is finer and slower.
            guidance_scale: 1 to 32; how closely to follow the prompt.

        Returns:
            The key frames as PNG files in the order of their operation steps. They stay with the session for
            /generate_video.
        """

        def prepare() -> Work[tuple[Path, list[tuple[str, str]]]]:
            options = KeyframeOptions(
                prompt=prompt,
                negative_prompt=negative_prompt,
                operation_steps=operation_steps,
                width=width,
                height=height,
                seed=seed,
                sampling_steps=sampling_steps,
                guidance_scale=guidance_scale,
            )
            picture, engine = _read(artwork), self._engine.get()
            engine.family.check_keyframe_size(options.width, options.height)
            return lambda on_progress: self._draw_keyframes(engine, picture, options, on_progress)

        folder, shown = yield from self._follow(request, prepare, results=2)
        yield status.done(f"{len(shown)} key frames are ready and kept in {self._shown(folder)}."), shown, str(folder)

    def generate_video(
        self,
        drawn: str | None,
        prompt: str,
        seed: int,
        guidance_scale: float,
        sampling_steps: int,
        fps: int,
        request: gr.Request,
    ) -> Iterator[tuple[Any, ...]]:
        """Draw the frames between the session's key frames and join them to a time-lapse, blank to finished.

        Args:
            prompt: a few words on the subject ("1girl, masterpiece, best quality"), not the tags of /generate_prompt.
            seed: 0 to 50000; the same seed gives the same video.
            guidance_scale: 1 to 15; how closely to follow the prompt.
            sampling_steps: 1 to 100; more is finer and slower.
            fps: 1 to 30 frames a second.

        Returns:
            The video (MP4, H.264) and its frames as PNG files.
        """

        def prepare() -> Work[Path]:
            if drawn is None:
                raise InputError("There are no key frames yet: run step 2 (/generate_keyframes) in this session first.")
            segments = SegmentOptions(
                prompt=prompt, seed=seed, sampling_steps=sampling_steps, guidance_scale=guidance_scale
            )
            before = RunFolder.open(drawn)
            options = dataclasses.replace(_options_of(before), segments=segments, fps=fps)
            engine = self._engine.get()
            return lambda on_progress: self._draw_video(engine, before, options, on_progress)

        folder = yield from self._follow(request, prepare, results=3)
        frames = [str(file) for file in sorted((folder / "frames").glob("*.png"))]
        video = str(folder / "timelapse.mp4")
        yield (
            status.done(f"{len(frames)} frames; the video is kept in {self._shown(folder)}."),
            video,
            frames,
            str(folder),
        )

    def _draw_keyframes(
        self, engine: PaintsUndo, picture: np.ndarray, options: KeyframeOptions, on_progress: OnProgress
    ) -> tuple[Path, list[tuple[str, str]]]:
        """Return the run folder and the key frames in it as (PNG file, caption)."""
        drawn = engine.draw_keyframes(picture, options, on_progress)
        everything = dataclasses.replace(engine.default_options, keyframes=options, tag=False)
        run = RunFolder.create(self._new_folder(), engine.settings_of(everything), picture)
        kept = [
            (step, run.save_keyframe(step, keyframe))
            for step, keyframe in zip(options.operation_steps, drawn, strict=True)
        ]
        return run.path, [(str(file), f"Step {step}") for step, file in kept]

    def _draw_video(self, engine: PaintsUndo, before: RunFolder, options: UndoOptions, on_progress: OnProgress) -> Path:
        """Return the folder of a run that starts from the key frames of `before`; the same one if nothing changed."""
        settings, folder = engine.settings_of(options), before.path
        if options != _options_of(before):
            run = RunFolder.create(self._new_folder(), settings, before.artwork)
            folder = run.path
            for step in options.keyframes.operation_steps:
                if (keyframe := before.keyframe(step)) is not None:
                    run.save_keyframe(step, keyframe)
            if options.segments == _options_of(before).segments:  # only the speed changed: nothing to draw again
                for pair in range(len(options.keyframes.operation_steps) + 1):
                    if (segment := before.segment(pair)) is not None:
                        run.save_segment(pair, segment)
        engine.undo(before.artwork, options, folder, on_progress, save_frames=True)
        return folder

    def _follow(
        self, request: gr.Request, prepare: Callable[[], Work[T]], results: int
    ) -> Generator[tuple[Any, ...], None, T]:
        """Yield status updates while the work that `prepare` returns is done; return its result or end in a gr.Error.

        `prepare` checks everything that can be checked at once, before the work waits for its turn. The page gets the
        sentence of an error twice: in the status line, where it stays, and as gr.Error, which is also what callers of
        the HTTP endpoints see.
        """
        unchanged = (gr.skip(),) * results
        cancelled = False
        try:
            with self._jobs.start(request.session_hash or "", prepare()) as job:
                shown = ""
                for update in job.updates():
                    if (line := status.working(update)) != shown:
                        shown = line
                        yield (line, *unchanged)
                return job.result()
        except Cancelled:
            sentence, cancelled = "Cancelled. Nothing unfinished was kept.", True
        except (InputError, CheckpointError, OSError, MemoryError, FloatingPointError) as error:
            sentence = str(error)
        except Exception:
            logger.exception("a job of the web app failed")
            sentence = "Something went wrong inside the program; its log says what."
        yield (status.done(sentence) if cancelled else status.failed(sentence), *unchanged)
        # Whoever pressed Cancel knows; a caller of the endpoint still gets the error.
        raise gr.Error(sentence, visible=not cancelled, print_exception=False)

    def _shown(self, folder: Path) -> str:
        return f"{self._out.name}/{folder.name}"  # a visitor need not know where on the server that is

    def _new_folder(self) -> Path:
        # Not derived from the upload's name, and not guessable by another visitor.
        return self._out / f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(4)}"


def _options_of(run: RunFolder) -> UndoOptions:
    return UndoOptions.from_settings(run.settings["options"])


def _read(artwork: str | None) -> np.ndarray:
    if artwork is None:
        raise InputError("There is no picture yet: upload one in step 1.")
    return read_picture(Path(artwork).read_bytes())  # as bytes, so that no message names a folder of the server
