"""The versions of the packages that can change a run's pixels."""

from __future__ import annotations

import contextlib
import importlib.metadata

from paints_undo import __version__

_RECORDED_PACKAGES = {
    "torch": ("torch",),
    "diffusers": ("diffusers",),
    "transformers": ("transformers",),
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu", "onnxruntime-silicon"),
    "numpy": ("numpy",),
    "opencv": ("opencv-python-headless", "opencv-python", "opencv-contrib-python"),
}


def package_versions() -> dict[str, str]:
    """The version of every package that can change a run's pixels, this one included; "not installed" if absent."""
    versions = {"paints_undo": __version__}
    for name, distributions in _RECORDED_PACKAGES.items():
        versions[name] = "not installed"
        for distribution in distributions:
            with contextlib.suppress(importlib.metadata.PackageNotFoundError):
                versions[name] = importlib.metadata.version(distribution)
                break
    return versions
