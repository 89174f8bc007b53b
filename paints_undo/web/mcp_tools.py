"""What MCP clients (language models, editors) can do: four tools, each a call of its own that ends with links.

No call needs an earlier one on the same connection. A run belongs to whoever has its key, which the call that makes it
answers with: it is what a browser's secret is on the page, so nobody else's calls can reach the run, and the disk keeps
only a hash of it. Links show files of a run; its key cannot be told from them.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote, unquote

from gradio.processing_utils import async_ssrf_protected_download
from gradio.route_utils import get_root_url
from gradio.utils import get_upload_folder
from mcp import types
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.requests import Request

from paints_undo import __version__
from paints_undo.errors import CheckpointError, InputError, sentence_of
from paints_undo.exports.formats import FORMATS
from paints_undo.options import OF_NETWORKS, OF_STROKES, SETTINGS, UndoOptions
from paints_undo.web.hosts import Receive, Send
from paints_undo.web.jobs import CLIENT
from paints_undo.web.run_files import without_folders, without_place
from paints_undo.web.settings import flat
from paints_undo.web.studio import Studio
from paints_undo.web.views import PULSE_S, check_done, progress_of
from paints_undo.words.languages import say, table

log = logging.getLogger(__name__)

FILES = "/gradio_api/file="
DOWNLOAD_S = 60.0  # for a picture to come from its address
_DRAWING: tuple[str, ...] = ("prompt", "negative_prompt", "operation_steps", "seed", "route", "fit", "width", "height")
_DRAWING += ("sampling_steps", "guidance_scale")
_FILLING = ("video_prompt", "video_seed", "video_sampling_steps", "video_guidance_scale", "seconds", "fps", "mark")
_EXPORTING: dict[str, Any] = {
    "seconds": {"type": "number", "description": "length of a film; by default the run's own"},
    "fps": {"type": "integer", "description": "frames a second of a film"},
    "longest_side": {"type": "integer", "description": "pixels of the longer side"},
    "title": {"type": "string", "description": "what the picture is called in layers, sheets and pages"},
}
_ARTWORK = (
    "The finished picture (PNG, JPEG, WebP or GIF): an address (https://...), the path that POST /gradio_api/upload of "
    "this server answers, or, up to 2.9 MB, data:image/png;base64,..."
)
_KEY = (
    "The key of a run, as an earlier call answered it: go on with that run; other settings draw again what they change."
)


class Tools:
    """The tools over a studio's runs, as an ASGI application; it works inside of :meth:`running`."""

    address = "/gradio_api/mcp"  # where MCP clients look for tools of programs that are built with gradio

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._tools = {tool.name: tool for tool in _tools(studio.default_options)}
        self._server: Server[Any, Request] = Server(
            "Paints-UNDO", __version__, "Turns a finished picture into a film of how it could have been drawn."
        )
        self._server.list_tools()(self._list)
        self._server.call_tool(validate_input=False)(self._call)  # what is wrong is said in our own words
        self._manager: StreamableHTTPSessionManager | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The time in which calls are taken, once for each start of the server."""
        self._manager = StreamableHTTPSessionManager(self._server, stateless=True)
        async with self._manager.run():
            yield

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        assert self._manager is not None, "the server that this belongs to has started"
        await self._manager.handle_request(scope, receive, send)

    async def _list(self) -> list[types.Tool]:
        return list(self._tools.values())

    async def _call(self, name: str, given: dict[str, Any]) -> Any:
        request = self._server.request_context.request
        assert request is not None, "tools are called over HTTP"
        CLIENT.set(request.client.host if request.client else "")
        try:
            if name not in self._tools:
                raise InputError("there is no tool {value!r}; use {choices}", name[:60], ", ".join(self._tools))
            known = self._tools[name].inputSchema["properties"]
            if unknown := sorted(set(given) - set(known)):
                raise InputError("there is no argument {value!r}; use {choices}", unknown[0][:60], ", ".join(known))
            call = _Call(self._studio, request, self._report)
            return await getattr(call, name)(**given)
        except (InputError, CheckpointError, OSError) as error:
            raise RuntimeError(without_folders(sentence_of(error), self._studio.out)) from None  # the SDK tells str()
        except Exception:
            log.exception("a tool failed")
            raise RuntimeError("something went wrong inside the program; its log says what") from None

    async def _report(self, share: float, doing: str) -> None:
        context = self._server.request_context
        if context.meta is not None and (token := context.meta.progressToken) is not None:
            await context.session.send_progress_notification(token, share, 1.0, doing, str(context.request_id))


class _Call:
    """One call of a tool: the methods are the tools, their arguments those of the call."""

    def __init__(self, studio: Studio, request: Request, report: Callable[[float, str], Awaitable[None]]) -> None:
        self._studio, self._request, self._report = studio, request, report
        self._root = get_root_url(request, Tools.address, request.scope.get("root_path"))

    async def make_timelapse(self, artwork: Any = None, run: Any = None, **settings: Any) -> Any:
        key, name = await self._opened(artwork, run, settings)
        view = await self._done(key, name, partial(self._studio.generate, step="all"))
        told = {"run": key, "video": self._link(view["video"]), "frames": view["frame_count"], **self._keyframes(view)}
        return _with_links(told, {"timelapse.mp4": told["video"]})

    async def write_tags(self, artwork: Any = None) -> Any:
        key, name = await self._opened(artwork, None, {})
        view = await self._done(key, name, partial(self._studio.generate, step="prompt"))
        return {"run": key, "tags": view["settings"]["prompt"]}

    async def draw_keyframes(self, artwork: Any = None, run: Any = None, **settings: Any) -> Any:
        key, name = await self._opened(artwork, run, settings)
        view = await self._done(key, name, partial(self._studio.generate, step="keyframes"))
        return {"run": key, **self._keyframes(view)}

    async def export_timelapse(self, run: Any = None, formats: Any = None, **options: Any) -> Any:
        key, name = self._own(run)
        begin = partial(self._studio.export, formats=formats if isinstance(formats, list) else [], options=options)
        view = await self._done(key, name, begin)
        files = {file["name"]: self._link(file["path"]) for file in view["exports"]}
        return _with_links({"run": key, "files": files}, files)

    def _own(self, key: Any) -> tuple[str, str]:
        """The key and the name of the run that it belongs to."""
        runs = self._studio.runs(_visitor(key)) if key and isinstance(key, str) and len(key) < 100 else []
        if not runs:
            raise InputError("run is {value!r}, which is the key of no run here; give the one that a call answered "
                             "with", str(key)[:60])  # fmt: skip
        return key, runs[0]["run"]

    async def _opened(self, artwork: Any, key: Any, settings: dict[str, Any]) -> tuple[str, str]:
        """The key and the name of a new run from a picture, or of an earlier one with other settings."""
        if key and not artwork:
            key, name = self._own(key)
            if settings:
                await asyncio.to_thread(self._studio.set_settings, _visitor(key), name, **settings)
            return key, name
        if key or not artwork or not isinstance(artwork, str):
            raise InputError("there is no picture: give artwork, its address or what is in it, or run, the key of an "
                             "earlier call, and not both")  # fmt: skip
        key = secrets.token_urlsafe(24)
        Path(get_upload_folder()).mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=get_upload_folder()) as folder:  # the run keeps a copy of its own
            path = await self._fetched(artwork, folder)
            return key, await asyncio.to_thread(self._studio.open, _visitor(key), path, settings)

    async def _fetched(self, artwork: str, folder: str) -> str:
        """The path of a picture that is uploaded here, or of one that is put into the folder."""
        if artwork.startswith(own := f"{self._root}{FILES}"):
            return unquote(artwork.removeprefix(own))
        if artwork.startswith("data:"):
            path = Path(folder) / "artwork"
            try:
                path.write_bytes(base64.b64decode(artwork.partition(",")[2], validate=True))
            except ValueError:
                raise InputError("artwork is no base64 after its comma; write it as "
                                 "data:image/png;base64,...") from None  # fmt: skip
            return str(path)
        if artwork.startswith(("http://", "https://")):
            try:
                return await asyncio.wait_for(async_ssrf_protected_download(artwork, folder), DOWNLOAD_S)
            except Exception as error:  # gradio raises bare ones
                log.info("%s was not fetched: %s", artwork[:200], error)
                raise InputError("no picture came from {value}; it must be public, and there",
                                 artwork[:200]) from None  # fmt: skip
        return artwork

    async def _done(self, key: str, run: str, begin: Callable[[str, str], None]) -> dict[str, Any]:
        """The view of a run after a job, which is cancelled when its caller goes away."""
        visitor, told = _visitor(key), -1.0
        await asyncio.to_thread(begin, visitor, run)
        try:
            while not self._studio.wait(visitor, run, 0):
                if await self._request.is_disconnected():
                    raise InputError("this was cancelled; what was finished is kept")
                share, doing = progress_of(await asyncio.to_thread(self._studio.view, visitor, run))
                if share > told:  # MCP has no progress that stays, or goes back
                    await self._report(share, doing)
                    told = share
                await asyncio.sleep(PULSE_S)
        except BaseException:
            self._studio.cancel(visitor, run)
            raise
        view = await asyncio.to_thread(self._studio.view, visitor, run)
        check_done(view)
        return view

    def _keyframes(self, view: dict[str, Any]) -> dict[str, Any]:
        shown = [{"operation_step": each["step"], "picture": self._link(each["path"])} for each in view["keyframes"]]
        return {"keyframes": shown}

    def _link(self, path: str) -> str:
        return f"{self._root}{FILES}{quote(without_place(path, self._studio.out), safe='/:')}"


def _visitor(key: str) -> str:
    """Whose the run of a key is: nobody else's, and no browser's or session's."""
    return f"mcp {key}"


def _with_links(told: dict[str, Any], files: dict[str, str]) -> Any:
    """The answer of a tool as text, as links that a client can show, and as plain values."""
    links = [types.ResourceLink(type="resource_link", name=name, uri=uri) for name, uri in files.items()]
    text = types.TextContent(type="text", text=json.dumps(told, indent=2))
    return [text, *links], told


def _tools(defaults: UndoOptions) -> list[types.Tool]:
    """The tools, with the settings that the family has a use for."""
    drawing, filling = _settings(defaults, _DRAWING), _settings(defaults, _FILLING)
    artwork = {"artwork": {"type": "string", "description": _ARTWORK}, "run": {"type": "string", "description": _KEY}}
    formats = {"type": "array", "items": {"type": "string", "enum": list(FORMATS)}, "description": "at least one"}
    exporting = {"run": artwork["run"], "formats": formats, **_EXPORTING}
    film = "Draw the film of how a finished picture could have been drawn, and answer with the link of the video (MP4)."
    exported = "Write a run that has its video in other formats: films, layers, sheets and charts."
    return [
        _tool("make_timelapse", "Make a timelapse", film, artwork | drawing | filling),
        _tool(
            "write_tags", "Write tags", "Describe a picture with comma-separated tags.", {"artwork": artwork["artwork"]}
        ),
        _tool("draw_keyframes", "Draw key frames", "Draw earlier states of a picture's canvas.", artwork | drawing),
        _tool("export_timelapse", "Export", exported, exporting, required=["run", "formats"]),
    ]


def _tool(name: str, title: str, does: str, properties: dict[str, Any], **more: Any) -> types.Tool:
    schema = {"type": "object", "properties": properties, "additionalProperties": False, **more}
    hints = types.ToolAnnotations(destructiveHint=False, openWorldHint=False)
    return types.Tool(name=name, title=title, description=does, inputSchema=schema, annotations=hints)


def _settings(defaults: UndoOptions, names: tuple[str, ...]) -> dict[str, Any]:
    """JSON schemas of the settings of these names, worded as on the page."""
    useless = {*OF_NETWORKS, "prompt"} if defaults.in_strokes else OF_STROKES
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string"}
    schemas: dict[str, Any] = {}
    for name, default in ((n, v) for n, v in flat(defaults).items() if n in names and n not in useless):
        words = [say(key) for key in (f"field.{name}", f"field.{name}.info") if key in table()]
        schema: dict[str, Any] = {"type": kinds.get(type(default), "array"), "description": ": ".join(words)}
        bounds = dict(zip(("minimum", "maximum"), SETTINGS[name].bounds or (), strict=False))
        if isinstance(default, list):
            schema["items"] = {"type": "integer", **bounds}
        else:
            schema |= bounds
        if choices := SETTINGS[name].choices:
            schema["enum"] = list(choices)
        schemas[name] = {**schema, "default": default}
    return schemas
