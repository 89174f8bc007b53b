"""The web app: `python gradio_app.py`. Widgets and how they hang together; the work is done in paints_undo.

Importing this file loads no weights and touches no device, folder or network; :func:`main` starts the server.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from paints_undo import examples
from paints_undo.errors import CheckpointError, InputError
from paints_undo.pipeline import PaintsUndo
from paints_undo.web.components import Artwork, OperationSteps, Slider, Status
from paints_undo.web.hosts import LoopbackOnly
from paints_undo.web.steps import Engine, Steps
from paints_undo.web.style import CSS, theme

TITLE = "Paints-UNDO"
EXAMPLES = ("girl", "cat", "house", "flower")
LARGEST_UPLOAD = "40mb"
WAITING_LINE = 64  # events of all visitors together
LARGEST_SEED = 50_000  # of the sliders; the options allow larger ones
PUBLISHED_MULTIPLE = 64  # pixels; what the published family needs, shown while no family is there
_HIDDEN: dict[str, Any] = {"show_progress": "hidden"}  # status lines report; gradio's overlay would cover the pictures
_PRIVATE: dict[str, Any] = {"api_visibility": "private", "concurrency_limit": None, **_HIDDEN}
_PUBLIC: dict[str, Any] = {"api_visibility": "public", "concurrency_limit": 16, "concurrency_id": "jobs", **_HIDDEN}
# Gradio gives the example buttons no name that a screen reader could say.
_NAME_EXAMPLES = f"""() => document.querySelectorAll("#examples button").forEach(
    (button, place) => button.setAttribute("aria-label", "Example: " + {list(EXAMPLES)}[place]))"""


@dataclass(frozen=True)
class Controls:
    """What every step has: its button, its Cancel button and its status line."""

    button: gr.Button
    cancel: gr.Button
    status: Status


def build_app(load: Callable[[], PaintsUndo], out: Path) -> gr.Blocks:
    """Return the page. `load` gives the pipeline or raises CheckpointError; runs are kept in folders under `out`.

    `load` is called at once, to show which family is there, and again by each button until it succeeds. `out` is made
    when the first result is kept.
    """
    engine = Engine(load)
    steps = Steps(engine, out)
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(3600, 86400)) as app:
        gr.Markdown(f"# {TITLE}\nFrom a finished picture to the way it may have been painted.", elem_id="heading")
        family = gr.HTML(_family_line(engine), elem_id="family")
        drawn = gr.State(None)  # the run folder with this page's key frames, exact; the gallery only shows them
        with gr.Column(elem_classes="card", elem_id="step-1"):
            prompting, artwork, prompt = _prompt_step()
        with gr.Column(elem_classes="card", elem_id="step-2"):
            drawing, keyframe_settings, keyframes = _keyframe_step(engine)
        with gr.Column(elem_classes="card", elem_id="step-3"):
            filming, video_settings, video, frames = _video_step(engine)

        controls = (prompting, drawing, filming)
        facts = [artwork, prompt, drawn]
        unlocked = [part for control in controls for part in (control.button, control.cancel)]
        for control, function, inputs, outputs in (
            (prompting, steps.generate_prompt, [artwork], [prompt]),
            (drawing, steps.generate_keyframes, [artwork, prompt, *keyframe_settings], [keyframes, drawn]),
            (filming, steps.generate_video, [drawn, *video_settings], [video, frames, drawn]),
        ):
            lock = partial(_lock, running=controls.index(control))
            started = control.button.click(lock, None, unlocked, **_PRIVATE)
            ended = started.then(function, inputs, [control.status, *outputs], api_name=function.__name__, **_PUBLIC)
            for end in (ended.success, ended.failure):  # .then() is not called after an error
                end(steps.unlock, facts, unlocked, **_PRIVATE)
            control.cancel.click(steps.cancel, None, None, **_PRIVATE)

        forgotten = [prompt, keyframes, drawn, video, frames, *(control.status for control in controls)]
        emptied = artwork.change(steps.forget, None, forgotten, **_PRIVATE)
        emptied.then(steps.unlock, facts, unlocked, **_PRIVATE)
        prompt.change(steps.unlock, facts, unlocked, trigger_mode="always_last", **_PRIVATE)
        app.load(lambda: _family_line(engine), None, family, js=_NAME_EXAMPLES, **_PRIVATE)
    return app.queue(max_size=WAITING_LINE, api_open=False)


def _lock(running: int) -> list[Any]:
    """Lock every button while a step runs and show that step's Cancel button."""
    return [part for step in range(3) for part in (gr.update(interactive=False), gr.update(visible=step == running))]


def _family_line(engine: Engine) -> str:
    """HTML that says which family is loaded and where it runs, or what is missing and how to get it."""
    try:
        return f"<span>{escape(engine.description())}</span>"
    except CheckpointError as error:
        return f"<span class='missing' role='alert'>{escape(str(error))}</span>"


def _controls(name: str) -> Controls:
    with gr.Row(elem_classes="controls"):
        button = gr.Button(name, variant="primary", interactive=False, scale=3, min_width=180)
        cancel = gr.Button("Cancel", variant="secondary", visible=False, scale=1, min_width=100)
    return Controls(button, cancel, Status("", elem_classes="status-line"))


def _prompt_step() -> tuple[Controls, Artwork, gr.Textbox]:
    gr.Markdown(
        "## Step 1: Upload Image and Generate Prompt\nA finished drawing works best: anime, cartoon, flat colours."
    )
    with gr.Row():
        with gr.Column(min_width=280):
            artwork = Artwork(
                label="Artwork",
                type="filepath",
                image_mode=None,
                sources=["upload", "clipboard"],
                height=420,
                alt_text="The uploaded artwork",
                buttons=["fullscreen"],
            )
        with gr.Column(min_width=280):
            prompt = gr.Textbox(
                label="Output Prompt",
                info="Tags of what the picture shows. Change them as you like, or write them yourself.",
                lines=4,
                max_lines=8,
            )
            controls = _controls("Generate Prompt")
            folder = Path(examples.__file__).parent
            gr.Examples(
                [[str(folder / f"{name}.png")] for name in EXAMPLES],
                artwork,
                label="Or start from an example",
                elem_id="examples",
                cache_examples=False,
                api_visibility="private",
            )
    return controls, artwork, prompt


def _keyframe_step(engine: Engine) -> tuple[Controls, list[gr.components.Component], gr.Gallery]:
    defaults = engine.default_options.keyframes
    multiple = engine.family.size_multiple if engine.family else PUBLISHED_MULTIPLE
    sides = {"minimum": 256, "maximum": 1024, "step": multiple}
    if min(defaults.width, defaults.height) < 256:  # a small family: from its smallest picture to twice its usual one
        sides = {"minimum": multiple, "maximum": 2 * max(defaults.width, defaults.height), "step": multiple}
    gr.Markdown("## Step 2: Generate Key Frames\nOne earlier state of the canvas for each operation step.")
    with gr.Row():
        with gr.Column(min_width=280):
            keyframes = gr.Gallery(
                label="Key Frames",
                elem_id="keyframes",
                format="png",
                height=560,
                columns=3,
                object_fit="contain",
                interactive=False,
                buttons=["fullscreen", "download", "download_all"],
            )
        with gr.Column(min_width=280):
            settings = [
                gr.Textbox(defaults.negative_prompt, label="Negative Prompt", lines=2),
                OperationSteps(
                    list(range(1000)),
                    value=list(defaults.operation_steps),
                    label="Operation Steps",
                    info="0 is the finished picture, 999 the first stroke.",
                    multiselect=True,
                ),
                Slider(0, LARGEST_SEED, defaults.seed, step=1, label="Stage 1 Seed"),
            ]
            with gr.Row():
                settings += [
                    Slider(value=defaults.width, label="Image Width", min_width=200, **sides),
                    Slider(value=defaults.height, label="Image Height", min_width=200, **sides),
                ]
            with gr.Row():
                settings += [
                    Slider(1, 100, defaults.sampling_steps, step=1, label="Steps", min_width=200),
                    Slider(1, 32, defaults.guidance_scale, step=0.01, label="CFG Scale", min_width=200),
                ]
            controls = _controls("Generate Key Frames")
    return controls, settings, keyframes


def _video_step(engine: Engine) -> tuple[Controls, list[gr.components.Component], gr.Video, gr.Gallery]:
    defaults = engine.default_options.segments
    gr.Markdown(
        "## Step 3: Generate All Videos\nThe frames between the key frames, joined from blank canvas to finished."
    )
    with gr.Row():
        with gr.Column(min_width=280):
            video = gr.Video(
                label="Time-lapse", height=480, interactive=False, autoplay=True, loop=True, buttons=["download"]
            )
        with gr.Column(min_width=280):
            settings = [
                gr.Textbox(
                    defaults.prompt,
                    label="Prompt",
                    info="Do not paste the tags of Step 1 here: this model was not made for them. "
                    "Write 1girl, 1boy or neither, then masterpiece, best quality.",
                ),
                Slider(0, LARGEST_SEED, defaults.seed, step=1, label="Stage 2 Seed"),
            ]
            with gr.Row():
                settings += [
                    Slider(1, 15, defaults.guidance_scale, step=0.5, label="CFG Scale", min_width=200),
                    Slider(1, 100, defaults.sampling_steps, step=1, label="Sampling steps", min_width=200),
                ]
            settings.append(Slider(1, 30, engine.default_options.fps, step=1, label="FPS"))
            controls = _controls("Generate Video")
    frames = gr.Gallery(
        label="Frames",
        elem_id="frames",
        format="png",
        height=300,
        columns=8,
        object_fit="contain",
        interactive=False,
        buttons=["fullscreen", "download", "download_all"],
    )
    return controls, settings, video, frames


def main(arguments: list[str] | None = None) -> int:
    """Start the server and serve until it is stopped; returns the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    options = _arguments(arguments)
    load = partial(PaintsUndo.load, options.models, options.device, options.dtype, options.noise)
    try:
        app = build_app(load, options.out)
        app.launch(inbrowser=not (options.listen or options.share) and _has_screen(), **launch_settings(options))
    except InputError as error:
        print(f"gradio_app.py: {error}", file=sys.stderr)
        return 2
    except OSError:  # what gradio raises, after every port it may use was refused
        taken = f"port {options.port} is" if options.port else "all ports from 7860 to 7959 are"
        print(f"gradio_app.py: {taken} taken; choose another one with --port", file=sys.stderr)
        return 2
    return 0


def launch_settings(options: argparse.Namespace) -> dict[str, Any]:
    """Return what the server is started with: loopback only unless asked otherwise, and nothing sent anywhere."""
    return {
        "theme": theme(),
        "css": CSS,
        "server_name": "0.0.0.0" if options.listen else "127.0.0.1",
        "server_port": options.port,
        "share": options.share,
        "auth": options.auth,
        "max_file_size": LARGEST_UPLOAD,
        "allowed_paths": [str(options.out)],
        "footer_links": ["api", "settings"],
        "run_history": False,
        "enable_monitoring": False,
        "ssr_mode": False,
        "app_kwargs": {} if options.listen or options.share else {"middleware": [(LoopbackOnly, (), {})]},
    }


def _has_screen() -> bool:
    return sys.platform in ("win32", "darwin") or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="gradio_app.py", description="The web app of Paints-UNDO.")
    parser.add_argument("--models", default="auto", help="mini, released or the folder of a model family; "
                        "by default mini if it is there, else released")  # fmt: skip
    parser.add_argument("--device", help="cpu, cuda or mps; by default the best one there is")
    parser.add_argument("--dtype", choices=["fp32", "fp16", "bf16"], help="by default the best one for the device")
    parser.add_argument("--noise", choices=["device", "cpu"], default="device",
                        help="where noise is drawn; cpu gives the same pictures on every device")  # fmt: skip
    parser.add_argument("--listen", action="store_true", help="serve other computers too, not only this one")
    parser.add_argument("--port", type=int, help="by default the first free one from 7860 on")
    parser.add_argument("--share", action="store_true", help="make a public link through Gradio's servers")
    parser.add_argument("--auth", type=_user_and_password, metavar="USER:PASSWORD", help="ask visitors to log in")
    parser.add_argument("--out", type=Path, default=Path("outputs"), help="where runs are kept (default: outputs)")
    options = parser.parse_args(arguments)
    options.out = options.out.absolute()
    return options


def _user_and_password(text: str) -> tuple[str, str]:
    user, colon, password = text.partition(":")
    if not (user and colon and password):
        raise argparse.ArgumentTypeError("write it as USER:PASSWORD")
    return user, password


if __name__ == "__main__":
    sys.exit(main())
