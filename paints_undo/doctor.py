"""What this machine can do: one screen before the first run."""

import platform
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import torch

from memory_management import describe, misses_an_nvidia_gpu, pick_device, pick_dtype
from paints_undo.errors import CheckpointError, InputError
from paints_undo.models.attention import BACKENDS, attention, attention_backend
from paints_undo.released import what_else
from paints_undo.runs import package_versions

# Half precision rounds at 2^-10 (fp16) and 2^-7 (bf16) of values about 1.
TOLERANCE = {torch.float32: 1e-5, torch.float16: 5e-3, torch.bfloat16: 4e-2}


@dataclass
class Report:
    """Findings in words, and whether a run can succeed."""

    lines: list[str] = field(default_factory=list)
    ready: bool = True

    @property
    def text(self) -> str:
        verdict = "ready: a run can start" if self.ready else "not ready: see the lines marked with !"
        return "\n".join([*self.lines, verdict])

    def say(self, subject: str, finding: str) -> None:
        self.lines.append(f"  {subject:<12} {finding}")

    def warn(self, subject: str, finding: str) -> None:
        self.lines.append(f"! {subject:<12} {finding}")
        self.ready = False


def examine(models: str, device: str | None, dtype: str | None, backend: str = "sdpa") -> Report:
    """Look at this machine as a run with these choices would use it; reads no weights, downloads nothing."""
    report = Report()
    report.say("Python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    report.say("packages", ", ".join(f"{name} {version}" for name, version in package_versions().items()))
    try:
        compute = pick_device(device)
        number_format = pick_dtype(compute, dtype)
    except ValueError as error:
        report.warn("device", str(error))
        return report
    report.say("device", describe(compute))
    report.say("dtype", str(number_format).removeprefix("torch."))
    if device is None and misses_an_nvidia_gpu():
        report.say("hint", "there is an NVIDIA GPU, but this PyTorch is built without CUDA; see README, Requirements")
    examine_attention(report, backend, compute, number_format)
    examine_models(report, models, compute)
    free = shutil.disk_usage(Path.cwd()).free
    report.say("disk", f"{free / 2**30:.1f} GiB free in {Path.cwd()}")
    return report


def examine_attention(report: Report, chosen: str, device: torch.device, dtype: torch.dtype) -> None:
    """Compute one attention on every backend that is here, against float64 by definition."""
    generator = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn(1, 64, 128, generator=generator) for _ in range(3))
    exact = attention(query.double(), key.double(), value.double(), heads=2)
    for name in BACKENDS:
        try:
            with attention_backend(name):
                found = attention(*(x.to(device, dtype) for x in (query, key, value)), heads=2)
            error = (found.double().cpu() - exact).abs().max().item()
            finding, fine = f"{name} agrees within {error:.1e}", error < TOLERANCE[dtype]
        except (ImportError, RuntimeError, NotImplementedError, ValueError) as problem:
            finding, fine = f"{name} does not work here: {str(problem).splitlines()[0]}", False
        if fine or name != chosen:
            report.say("attention", finding)
        else:
            report.warn("attention", finding)


def examine_models(report: Report, models: str, device: torch.device) -> None:
    from paints_undo.families import find_family  # imports much, and only this line needs it

    try:
        family = find_family(models)
    except (CheckpointError, InputError) as error:
        report.warn("models", str(error))
        return
    tagger = "with its tagger" if family.tagger_model else "without a tagger: give a prompt"
    report.say("models", f"{family.name} in {family.folders['single_frame'].parent}, {tagger}")
    report.say("", what_else(family.name, device.type))
