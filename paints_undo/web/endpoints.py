"""The three steps for programs over HTTP (gradio_client): each is one call that returns when its result is there.

They are generators, because that is what gradio closes when a call is cancelled or its client goes away: until the
result is there they yield "no change" every now and then, and when they are closed their job is cancelled. The first
of these comes before anything is begun: gradio does not close a generator that has not yielded yet.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

import gradio as gr

from paints_undo.errors import CheckpointError, InputError, sentence_of
from paints_undo.web.jobs import CLIENT
from paints_undo.web.run_files import handed_out, without_folders
from paints_undo.web.studio import Studio
from paints_undo.web.views import PULSE_S, check_done, progress_of

_PROGRESS = gr.Progress()  # as a default it tells gradio to pass one that tells job.status()


class Endpoints:
    """Functions to be registered as public endpoints under their own names.

    What a session has drawn is its own; runs are kept as those of visitors are.
    """

    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    def generate_prompt(self, artwork: str, request: gr.Request, progress: gr.Progress = _PROGRESS) -> Iterator[Any]:
        """Describe a picture with comma-separated tags, the prompt of step 2.

        Args:
            artwork: the finished picture (PNG, JPEG, WebP or GIF; at most 64 megapixels).

        Returns:
            The prompt.
        """
        yield gr.skip()
        visitor = _visitor(request)
        with _told():
            run = self._studio.open(visitor, artwork)
            try:
                view = yield from self._done(visitor, run, "prompt", progress)
            finally:
                self._forget(visitor, run)
            yield view["settings"]["prompt"]

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
        progress: gr.Progress = _PROGRESS,
    ) -> Iterator[Any]:
        """Draw earlier states of a picture's canvas, one for each operation step.

        The picture fills the key frames' size, and what sticks out is cut off, as the original does it.

        Args:
            artwork: the finished picture.
            prompt: what the picture shows, best as /generate_prompt writes it; at most 10,000 characters.
            negative_prompt: what the key frames should not show.
            operation_steps: states to draw, each 0 (finished) to 999 (first stroke), without repetition.
            seed: the same seed gives the same key frames.
            width: of the key frames in pixels.
            height: of the key frames in pixels.
            sampling_steps: more is finer and slower.
            guidance_scale: how closely to follow the prompt.

        Returns:
            The key frames as PNG files in the order of their operation steps. They stay with the session for
            /generate_video.
        """
        yield gr.skip()
        visitor = _visitor(request)
        settings = {
            "prompt": prompt,
            "negative_prompt": negative_prompt,
            "operation_steps": operation_steps,
            "seed": seed,
            "width": width,
            "height": height,
            "sampling_steps": sampling_steps,
            "guidance_scale": guidance_scale,
            "fit": "crop",
        }
        with _told():
            run = self._studio.open(visitor, artwork, settings)
            try:
                view = yield from self._done(visitor, run, "keyframes", progress)
            except GeneratorExit:  # the session never learns of this run
                self._forget(visitor, run)
                raise
            yield [(handed_out(keyframe["path"]), f"Step {keyframe['step']}") for keyframe in view["keyframes"]], run

    def generate_video(
        self,
        drawn: str | None,
        prompt: str,
        seed: int,
        guidance_scale: float,
        sampling_steps: int,
        fps: int,
        request: gr.Request,
        progress: gr.Progress = _PROGRESS,
    ) -> Iterator[Any]:
        """Draw the frames between the session's key frames and join them to a time-lapse, blank to finished.

        Args:
            prompt: a few words on the subject ("1girl, masterpiece, best quality"), not the tags of /generate_prompt.
            seed: the same seed gives the same video.
            guidance_scale: how closely to follow the prompt.
            sampling_steps: more is finer and slower.
            fps: frames a second.

        Returns:
            The video (MP4, H.264) and its frames as PNG files.
        """
        yield gr.skip()
        visitor = _visitor(request)
        settings = {
            "video_prompt": prompt,
            "video_seed": seed,
            "video_guidance_scale": guidance_scale,
            "video_sampling_steps": sampling_steps,
            "fps": fps,
        }
        with _told():
            if not drawn:
                raise InputError("there are no key frames yet: call /generate_keyframes in this session first")
            self._studio.set_settings(visitor, drawn, **settings)
            view = yield from self._done(visitor, drawn, "video", progress)
            frames = self._studio.frame_files(visitor, drawn)
            yield handed_out(view["video"]), [handed_out(frame) for frame in frames], drawn

    def _done(
        self, visitor: str, run: str, step: str, progress: gr.Progress
    ) -> Generator[dict[str, Any], None, dict[str, Any]]:
        """The view of a run after a job, which is cancelled when this is closed.

        Raises InputError where the job did not finish.
        """
        self._studio.generate(visitor, run, step)
        try:
            while not self._studio.wait(visitor, run, PULSE_S):
                yield gr.skip()
                share, doing = progress_of(self._studio.view(visitor, run))
                progress(share, desc=doing)
        except GeneratorExit:
            self._studio.cancel(visitor, run)
            raise
        view = self._studio.view(visitor, run)
        check_done(view)
        return view

    def _forget(self, visitor: str, run: str) -> None:
        """Delete a run as soon as its job has ended, without keeping the server waiting for that."""

        def delete() -> None:
            self._studio.wait(visitor, run)
            self._studio.delete(visitor, run)

        if self._studio.wait(visitor, run, 0):
            delete()
        else:
            threading.Thread(target=delete, name="forget a cancelled run", daemon=True).start()


@contextmanager
def _told() -> Iterator[None]:
    """Turns what a caller can do something about into gradio's error, which tells the sentence and no traceback."""
    try:
        yield
    except (InputError, CheckpointError, OSError) as error:
        raise gr.Error(without_folders(sentence_of(error)), print_exception=False) from None


def _visitor(request: gr.Request) -> str:
    """A session of a program is a visitor of its own; a call without a session is one by itself."""
    CLIENT.set(request.client.host if request.client else "")  # calls are served apart from the requests they came in
    return f"session {request.session_hash or secrets.token_hex(16)}"
