"""The web app: `python gradio_app.py`. Widgets and how they hang together; the work is done in paints_undo.

Importing this file loads no weights and touches no device, folder or network; :func:`main` starts the server.
"""

from __future__ import annotations

import argparse
import importlib.util
import logging
import os
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

from paints_undo.commands import BAD_INPUT, DONE, FAILED, add_engine_flags, load_engine
from paints_undo.engine import Engine
from paints_undo.errors import CheckpointError, InputError
from paints_undo.family.choice import find_family
from paints_undo.logs import configure
from paints_undo.options import ENGINE_DEFAULTS
from paints_undo.pictures.files import MAX_BYTES
from paints_undo.web import gradio as gr
from paints_undo.web.components import Artwork, OperationSteps
from paints_undo.web.endpoints import Endpoints
from paints_undo.web.engine import EngineOnUse
from paints_undo.web.exporting import export_panel
from paints_undo.web.exposure import guarded, guards, warning
from paints_undo.web.form import Form
from paints_undo.web.hosts import host_name
from paints_undo.web.jobs import end_all
from paints_undo.web.limits import SMALL_SIDE, largest_side
from paints_undo.web.machine import machine_card
from paints_undo.web.proxies import LOOPBACK, believe_forwarded, proxies_named, spare_loopback
from paints_undo.web.recipes import OF_NETWORKS
from paints_undo.web.starting import check_any_port, check_port, own_upload_folder, port_number
from paints_undo.web.studio import Studio
from paints_undo.web.style import CSS, theme
from paints_undo.web.workbench import workbench
from paints_undo.words.languages import say

TITLE = "Paints-UNDO"
RECIPES = ("defaults", "coarse_sketches", "draft", "own_sketch", "many")
SEEDS = (0, 50_000)  # of the sliders; the options allow larger ones
PAGE_FIRST = 5.0  # seconds for a browser that opens with the program; its page asks for the engine once it is ready
PUBLISHED_MULTIPLE = 64  # pixels; what the published family needs, shown while no family is there
_PUBLIC: dict[str, Any] = {"api_visibility": "public", "concurrency_limit": 16, "concurrency_id": "jobs"}


def build_app(load: Callable[[], Engine] | EngineOnUse, out: Path) -> gr.Blocks:
    """Return the page. `load` gives the pipeline or raises CheckpointError; runs are kept in folders under `out`.

    `load` is called at once, to show which family is there, and again by each job until it succeeds; an EngineOnUse
    that can find the family without it is not loaded for the page. `out` is made when the first run is opened. Uploads
    are kept in GRADIO_TEMP_DIR, which is set where it is not yet.
    """
    own_upload_folder()  # before gradio's components ask for it
    engine = load if isinstance(load, EngineOnUse) else EngineOnUse(load)
    studio = Studio(engine, out)
    form = Form(engine.default_options)
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(3600, 86400)) as app:
        gr.HTML(_masthead(engine), elem_id="heading", apply_default_css=False)
        place = gr.Column(elem_id="bench")  # filled once the widgets are there
        gr.HTML(_fold(), elem_id="fold", apply_default_css=False, padding=False)
        with gr.Row(elem_id="steps"):
            with gr.Column(elem_classes="card", elem_id="step-1"):
                _prompt_step(form)
            with gr.Column(elem_classes="card", elem_id="step-2"):
                _keyframe_step(form, engine)
            with gr.Column(elem_classes="card", elem_id="step-3"):
                _video_step(form)
        with place:
            bench = workbench(studio, form, TITLE)
            export_panel(bench)
        machine_card(engine, out, bench)
        form.connect(bench)
        _endpoints(studio, form, engine)
    app.studio = studio  # for another door to the same runs
    return app.queue(api_open=False)


def _masthead(engine: EngineOnUse) -> str:
    return (
        f"<div class='masthead'><h1>{TITLE}</h1><p data-text='page.tagline'>{say('page.tagline')}</p>"
        f"<div id='family'>{_family_line(engine)}</div><div id='toolbar'></div></div>"
    )


def _fold() -> str:
    """What opens and closes the three steps, which nobody needs to see to get a film."""
    words = f"<span data-text='page.adjust'>{say('page.adjust')}</span><small data-text='page.adjust.note'></small>"
    return f"<button type='button' id='adjust' aria-expanded='false' aria-controls='steps'>{words}</button>"


def _family_line(engine: EngineOnUse) -> str:
    """HTML that says which family is there, or what is missing; the scripts ask again, and say where it runs."""
    try:
        return f"<span class='name'>{escape(engine.find().name)}</span>"
    except CheckpointError as error:
        return f"<span class='missing' role='alert'>{escape(str(error))}</span>"


def _heading(step: str, title: str = "") -> None:
    title, note = title or f"{step}.title", f"{step}.note"
    words = f"<h2 data-text='{title}'>{say(title)}</h2><p data-text='{note}'>{say(note)}</p>"
    gr.HTML(words, apply_default_css=False, padding=False)


def _prompt_step(form: Form) -> None:
    _heading("step1", "step1.picture" if form.in_strokes else "")
    form.artwork = form.worded["field.artwork"] = Artwork(
        label=say("field.artwork"),
        type="filepath",
        image_mode=None,
        sources=["upload", "clipboard"],
        height=230,
        alt_text="The uploaded artwork",
        buttons=["fullscreen"],
        elem_id="artwork",
    )
    form.note("note-artwork")
    form.text("prompt", value=None, lines=2, max_lines=8)  # programs have to give one, too
    gr.HTML("<div id='tokens' hidden></div>", apply_default_css=False, padding=False)
    form.button("prompt")


def _keyframe_step(form: Form, engine: EngineOnUse) -> None:
    options = engine.default_options
    multiple = engine.family.size_multiple if engine.family else PUBLISHED_MULTIPLE
    least = multiple if min(options.keyframes.width, options.keyframes.height) < SMALL_SIDE else SMALL_SIDE
    sides = least, largest_side(options)
    _heading("step2")
    with gr.Row(elem_id="recipes"):
        recipes = [name for name in RECIPES if not (form.in_strokes and name in OF_NETWORKS)]
        form.recipes = {name: gr.Button(say(f"recipe.{name}"), size="sm") for name in recipes}
    form.worded |= {f"recipe.{name}": button for name, button in form.recipes.items()}
    form.text("operation_steps", max_lines=3)
    form.slider("seed", SEEDS)
    form.choice("route")
    form.choice("fit")
    with form.accordion(of_networks=True):
        form.text("negative_prompt", lines=2)
        form.tick("size", options.fit != "crop")
        with gr.Row():
            form.slider("width", sides, multiple)
            form.slider("height", sides, multiple)
        with gr.Row():
            form.slider("sampling_steps")
            form.slider("guidance_scale", step=0.01)
        form.tick("long_prompt")
    form.button("keyframes")


def _video_step(form: Form) -> None:
    _heading("step3")
    form.text("video_prompt")
    form.slider("video_seed", SEEDS)
    with form.accordion():
        with gr.Row():
            form.slider("video_guidance_scale", (1, 15), 0.5)
            form.slider("video_sampling_steps")
        form.slider("seconds")
        form.slider("fps", (1, 30))
        form.tick("mark")
    form.button("video")


def _endpoints(studio: Studio, form: Form, engine: EngineOnUse) -> None:
    """The three endpoints for gradio_client; they share the widgets' defaults, and their results are never on show."""
    defaults = {"value": list(engine.default_options.keyframes.operation_steps), "multiselect": True}
    drawn = gr.State(None)  # the run of a session
    with gr.Column(visible=False):
        caller = gr.Button("Endpoints")
        prompt, video = gr.Textbox(label="Prompt"), gr.Video(label="Time-lapse")
        steps = OperationSteps(list(range(1000)), label=say("field.operation_steps"), **defaults)
        keyframes, frames = gr.Gallery(label="Key Frames", format="png"), gr.Gallery(label="Frames", format="png")
    # on the page the operation steps are text; here they are numbers
    calls, fields = Endpoints(studio), {**form.fields, "operation_steps": steps}
    drawing = ["prompt", "negative_prompt", "operation_steps", "seed", "width", "height", "sampling_steps"]
    filling = ["video_prompt", "video_seed", "video_guidance_scale", "video_sampling_steps", "fps"]
    for function, inputs, outputs in (
        (calls.generate_prompt, [form.artwork], [prompt]),
        (
            calls.generate_keyframes,
            [form.artwork, *(fields[name] for name in (*drawing, "guidance_scale"))],
            [keyframes, drawn],
        ),
        (calls.generate_video, [drawn, *(fields[name] for name in filling)], [video, frames, drawn]),
    ):
        caller.click(function, inputs, outputs, api_name=function.__name__, **_PUBLIC)


def main(arguments: list[str] | None = None) -> int:
    """Start the server and serve until it is stopped; returns the exit status."""
    options = _arguments(arguments)
    configure(options.verbose)
    engine = EngineOnUse(partial(load_engine, options), partial(find_family, options.models))
    try:
        if options.mcp and importlib.util.find_spec("mcp") is None:
            raise InputError("--mcp needs the package mcp, which is not installed here: pip install '.[mcp]'")
        app = build_app(engine, options.out)
        if _judged_by_libraries(options):
            with suppress(CheckpointError):  # the page says it
                engine.get()
        if said := warning(options.listen, options.share, options.auth):
            logging.warning(said)
        settings = launch_settings(options, app)
        host, port = settings["server_name"], options.port
        check_any_port(host) if port is None else check_port(host, port)
        inbrowser = not (options.listen or options.share) and _has_screen()
        app.launch(inbrowser=inbrowser, prevent_thread_lock=True, **settings)
        engine.load_in_background(wait=PAGE_FIRST)
        app.block_thread()
        end_all(within_s=3)
    except InputError as error:
        print(f"gradio_app.py: {error}", file=sys.stderr)
        return BAD_INPUT
    except OSError as error:
        # with a free port gradio tells whatever keeps its server from starting as a taken one; the log has the cause
        reason = "what is said above kept it from that" if "Cannot find empty port" in str(error) else str(error)
        print(f"gradio_app.py: the server could not start: {reason}", file=sys.stderr)
        return FAILED
    return DONE


def _judged_by_libraries(options: argparse.Namespace) -> bool:
    """Whether a flag is given that is wrong on some machines: that is said before there is a page."""
    judged = ("device", "dtype", "vram", "workers", "compiled")
    return any(getattr(options, name) != ENGINE_DEFAULTS[name] for name in judged)


def launch_settings(options: argparse.Namespace, app: gr.Blocks | None = None) -> dict[str, Any]:
    """Return what the server is started with: loopback only unless asked otherwise, and nothing sent anywhere.

    app: of build_app; with it, `--mcp` adds the tools for MCP clients.

    Settles for this process what gradio and its server take from the environment: proxies on both sides.
    """
    spare_loopback()
    believe_forwarded(options.behind_proxy or "")
    tools = None
    if options.mcp and app is not None:
        from paints_undo.web.mcp_tools import Tools  # its package is an extra

        tools = Tools(app.studio)
    return {
        "theme": theme(),
        "css": CSS,
        "server_name": "0.0.0.0" if options.listen else "127.0.0.1",
        "server_port": options.port,
        "share": options.share,
        "auth": options.auth,
        "max_file_size": MAX_BYTES,
        "footer_links": ["api"],  # language and theme stand at the top
        "run_history": False,
        "enable_monitoring": False,
        "ssr_mode": False,
        "mcp_server": False,  # gradio's own has one session for all its clients
        "root_path": options.root_path,
        "app_kwargs": guarded(guards(options.listen, options.share, options.host_name, options.out), tools),
    }


def _has_screen() -> bool:
    return sys.platform in ("win32", "darwin") or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="gradio_app.py", description="The web app of Paints-UNDO.")
    add_engine_flags(parser)
    parser.add_argument("--mcp", action="store_true", help="offer tools to MCP clients (extra: .[mcp])")
    parser.add_argument("--listen", action="store_true", help="serve other computers too, not only this one")
    parser.add_argument("--port", type=port_number, help="by default the first free one from 7860 on")
    parser.add_argument("--share", action="store_true", help="make a public link through Gradio's servers")
    parser.add_argument("--host-name", type=_host_name, action="append", default=[], metavar="NAME",
                        help="a further name the server is known under, such as that of a proxy before it")  # fmt: skip
    parser.add_argument("--root-path", type=_root_path, metavar="/PATH",
                        help="where a proxy before it serves this program, if not at the top of its host")  # fmt: skip
    parser.add_argument("--behind-proxy", type=_proxies, nargs="?", const=",".join(LOOPBACK[::2]),
                        metavar="ADDRESSES", help="believe a proxy on this computer, or at these addresses or networks "
                        "(10.0.0.2,172.16.0.0/12), which address a visitor comes from")  # fmt: skip
    parser.add_argument("--auth", type=_user_and_password, metavar="USER:PASSWORD", help="ask visitors to log in")
    parser.add_argument("--verbose", action="store_true", help="say on the terminal what happens, step by step")
    parser.add_argument("--out", type=Path, default=Path("outputs"), help="where runs are kept (default: outputs)")
    options = parser.parse_args(arguments)
    options.out = options.out.absolute()
    return options


def _user_and_password(text: str) -> tuple[str, str]:
    user, colon, password = text.partition(":")
    user = user.strip()  # as gradio reads what a visitor writes
    if not (user and colon and password):
        raise argparse.ArgumentTypeError("write it as USER:PASSWORD")
    return user, password


def _host_name(text: str) -> str:
    name = host_name(text.lower())
    if not name or name != text.lower().strip("[]"):
        raise argparse.ArgumentTypeError(f"{text!r} is no name of a host: write it without https://, port and path")
    return name


def _root_path(text: str) -> str:
    path = text.rstrip("/")
    if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)+", path) or ".." in path:
        raise argparse.ArgumentTypeError(f"{text!r} is no path: write it as /paints, without the host")
    return path


def _proxies(text: str) -> str:
    try:
        return proxies_named(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} names no proxies: give addresses or networks in numbers") from None


if __name__ == "__main__":
    sys.exit(main())
