"""What ComfyUI offers its nodes, where they run in it: progress, cancelling, its memory and its output folder."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from PIL import Image

if TYPE_CHECKING:
    from paints_undo.progress import OnProgress, Progress


def find_paints_undo() -> None:
    """Make the package importable: it is installed, or lies beside this folder."""
    if not importlib.util.find_spec("paints_undo"):
        sys.path.append(str(Path(__file__).resolve().parent.parent))


def part_of_comfyui(name: str) -> ModuleType | None:
    """A module of ComfyUI; None where the nodes are used without it."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name not in (name, name.split(".")[0]):
            raise
        return None


def make_room() -> None:
    """Let ComfyUI's own networks leave the GPU: how Paints-UNDO works follows from the memory that is free."""
    management = part_of_comfyui("comfy.model_management")
    if management is not None:
        management.unload_all_models()
        management.soft_empty_cache()


def progress_callback() -> OnProgress:
    """Reports become ComfyUI's bar with its preview; its cancel button ends the run within a sampling step."""
    utils, management = part_of_comfyui("comfy.utils"), part_of_comfyui("comfy.model_management")

    def on_progress(progress: Progress) -> None:
        if management is not None:
            management.throw_exception_if_processing_interrupted()
        if utils is not None:
            preview = None if progress.preview is None else ("JPEG", Image.fromarray(progress.preview()), 512)
            utils.ProgressBar(progress.total).update_absolute(progress.done, progress.total, preview)

    return on_progress


def place_for_video(prefix: str, width: int, height: int) -> tuple[Path, str]:
    """A free file name in ComfyUI's output folder, and the subfolder it lies in; a temporary one without ComfyUI."""
    paths = part_of_comfyui("folder_paths")
    if paths is None:
        return Path(tempfile.mkdtemp(prefix="paints-undo-")) / "timelapse.mp4", ""
    folder, name, counter, subfolder, _ = paths.get_save_image_path(prefix, paths.get_output_directory(), width, height)
    return Path(folder) / f"{name}_{counter:05}_.mp4", subfolder


def as_video(file: Path) -> Any:
    """The file as ComfyUI's VIDEO; None without ComfyUI, or in one that is older than that type."""
    types = part_of_comfyui("comfy_api.input_impl")
    return None if types is None else types.VideoFromFile(str(file))


def own_families() -> dict[str, Path]:
    """The folders in models/paints_undo of ComfyUI, by their names."""
    paths = part_of_comfyui("folder_paths")
    folder = Path(paths.models_dir) / "paints_undo" if paths else None
    if folder is None or not folder.is_dir():
        return {}
    return {place.name: place for place in sorted(folder.iterdir()) if place.is_dir()}
