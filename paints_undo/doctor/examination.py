"""What this machine can do, proved before the first run: one screen for people, or plain values for programs."""

from __future__ import annotations

import dataclasses
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import torch

from memory_management import DTYPES, device_in_words, device_memory, misses_an_nvidia_gpu, pick_device, pick_dtype
from paints_undo import examples
from paints_undo.doctor import published_files
from paints_undo.doctor.findings import FINE, NOTE, PROBLEM, Report
from paints_undo.errors import CheckpointError, InputError, Sentence
from paints_undo.execution import plans
from paints_undo.family.choice import STROKES, find_family
from paints_undo.family.model_family import ModelFamily
from paints_undo.family.released import what_else
from paints_undo.models.attention import BACKENDS, attention, attention_backend
from paints_undo.models.fused import WITHOUT, find_kernels
from paints_undo.pictures.ffmpeg import INSTALL, VARIABLE
from paints_undo.pictures.files import pillow_may_decode_jpeg
from paints_undo.pictures.pixels import read_picture
from paints_undo.pictures.video import write_video
from paints_undo.pipeline import PaintsUndo
from paints_undo.run.folder import package_versions
from paints_undo.strokes.process import plan_process

# Half precision rounds at 2^-10 (fp16) and 2^-7 (bf16) of values about 1.
TOLERANCE = {torch.float32: 1e-5, torch.float16: 5e-3, torch.bfloat16: 4e-2}
OUTPUT = 200 * 2**20  # bytes a run folder may take
GIB = 2**30
MINI_FLOP = 1.43e12  # of the mini family's default run, counted on PyTorch's meta device
TURING = (7, 5)  # compute capability; PyTorch's CUDA 13 build begins there


def examine(
    models: str | ModelFamily,
    device: str | None = None,
    dtype: str | None = None,
    backend: str = "sdpa",
    vram: str = "auto",
    out: Path = Path("outputs"),
) -> Report:
    """Look at this machine as a run with these choices would use it; loads no weights, downloads nothing."""
    report = Report()
    examine_python(report)
    try:
        compute = pick_device(device)
        number_format = pick_dtype(compute, dtype)
    except ValueError as error:
        report.add("device", Sentence(str(error)), PROBLEM)
        return report
    examine_device(report, compute, chosen=device)
    examine_dtypes(report, compute, number_format)
    examine_attention(report, backend, compute, number_format)
    examine_kernels(report, compute, number_format)
    examine_memory(report, compute)
    examine_disk(report, out)
    examine_tools(report)
    published_files.examine(report)
    family = examine_models(report, models, compute)
    if family is not None and family.name == STROKES:
        examine_strokes(report)
    elif family is not None:
        examine_plan(report, family, compute, number_format, vram)
    return report


def examine_python(report: Report) -> None:
    """The interpreter and the packages that can change a run's pixels."""
    version, bits = platform.python_version(), 64 if sys.maxsize > 2**32 else 32
    system = f"{platform.system()} {platform.machine()}"
    text = Sentence("{version}, {bits} bit, on {system}", version, bits, system)
    if not (3, 10) <= sys.version_info[:2] <= (3, 13) or bits == 32:
        text = Sentence("{found}; install a 64-bit Python from 3.10 to 3.13", text)
        report.add("Python", text, PROBLEM, version=version)
    else:
        report.add("Python", text, version=version, system=platform.system(), machine=platform.machine())
    versions = package_versions()
    packages = ", ".join(f"{name} {version}" for name, version in versions.items())
    report.add("packages", Sentence(packages), **versions)


def examine_device(report: Report, device: torch.device, chosen: str | None) -> None:
    """What computes, and the fix where an NVIDIA GPU is there that this PyTorch was not built for."""
    name, *rest = device_in_words(device).rsplit(", ", 1)  # a card's memory has a line of its own
    text = Sentence("{device}, PyTorch {version}", name, torch.__version__)
    if device.type == "cpu":
        threads = torch.get_num_threads()
        text = Sentence("{device}, {threads} threads, PyTorch {version}", name, threads, torch.__version__)
    report.add("device", text, device=str(device))
    if chosen is None and device.type == "cpu" and misses_an_nvidia_gpu():
        fix = cuda_install_command(compute_capability())
        text = Sentence("there is an NVIDIA GPU, but this PyTorch is built without CUDA")
        report.add("", text, NOTE, where=f"run: {fix}", fix=fix)


def compute_capability() -> tuple[int, int] | None:
    """Of the oldest NVIDIA GPU, as its driver says; None where it says nothing."""
    command = ["nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout
        major, minor = min(tuple(int(number) for number in line.split(".")) for line in said.split())
        return major, minor
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


def cuda_install_command(capability: tuple[int, int] | None) -> str:
    """What puts the CUDA build of this version of PyTorch into this environment, on this system."""
    build = "cu126" if capability is not None and capability < TURING else "cu130"
    version, quote = torch.__version__.partition("+")[0], '"' if os.name == "nt" else "'"
    return (
        f"{quote}{sys.executable}{quote} -m pip install --force-reinstall --no-deps torch=={version} "
        f"--index-url https://download.pytorch.org/whl/{build}"
    )


def examine_dtypes(report: Report, device: torch.device, chosen: torch.dtype) -> None:
    """Which number formats the device multiplies and convolves."""
    works = []
    for name, dtype in DTYPES.items():
        try:
            picture = torch.ones(1, 4, 8, 8, device=device, dtype=dtype)
            kernel = torch.ones(4, 4, 3, 3, device=device, dtype=dtype)
            if torch.nn.functional.conv2d(picture, kernel).float().mean().item() == 36:
                works.append(name)
        except (RuntimeError, TypeError, NotImplementedError):
            continue
    name = next(name for name, dtype in DTYPES.items() if dtype == chosen)
    usable = ", ".join(works) or Sentence("none")
    text, state = Sentence("{formats} work; a run computes in {chosen}", usable, name), FINE
    if name not in works:
        sentence = "{found}; choose another --dtype, or install a PyTorch built for this device"
        text, state = Sentence(sentence, text), PROBLEM
    report.add("dtype", text, state, works=works, chosen=name)


def examine_attention(report: Report, chosen: str, device: torch.device, dtype: torch.dtype) -> None:
    """Compute one attention on every backend that is installed, against float64 by SDPA."""
    generator = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn(1, 64, 128, generator=generator) for _ in range(3))
    exact = attention(query.double(), key.double(), value.double(), heads=2)
    for name in BACKENDS:
        values: dict[str, Any] = {"backend": name}
        try:
            with attention_backend(name):
                found = attention(query.to(device, dtype), key.to(device, dtype), value.to(device, dtype), heads=2)
            error = (found.double().cpu() - exact).abs().max().item()
            finding = Sentence("{backend} agrees with SDPA in float64 within {error:.1e}", name, error)
            fine = error < TOLERANCE[dtype]
            values["error"] = error
        except ImportError:
            finding, fine = Sentence("{backend} is not installed, and not needed", name), False
        except (RuntimeError, NotImplementedError, ValueError) as problem:
            why = str(problem).splitlines()[0]
            finding, fine = Sentence("{backend} does not work here: {why}", name, why), False
        state = FINE if fine else PROBLEM if name == chosen else NOTE
        report.add("attention", finding, state, works=fine, **values)


def examine_kernels(report: Report, device: torch.device, dtype: torch.dtype) -> None:
    """Whether the fused kernels run on this device; networks do without."""
    if device.type not in WITHOUT:
        works = find_kernels(device, dtype) is not None
        text = Sentence(
            "fused kernels agree with PyTorch" if works else "no fused kernels here; PyTorch's own are used"
        )
        report.add("kernels", text, FINE if works else NOTE, works=works)


def examine_memory(report: Report, device: torch.device) -> None:
    """What is free on the device, and on the host."""
    for place in (device, torch.device("cpu")):
        free, total = device_memory(place)
        if free is not None and total is not None:
            what = Sentence("this computer") if place.type == "cpu" else place
            text = Sentence("{free:.1f} of {total:.1f} GiB of {what} free", free / GIB, total / GIB, what)
            report.add("memory", text, free=free, total=total, device=str(place))
        if device.type == "cpu":
            return


def examine_disk(report: Report, out: Path) -> None:
    """Whether a run folder fits where runs go, and may be made there."""
    there = next(folder for folder in (out.absolute(), *out.absolute().parents) if folder.exists())
    free = shutil.disk_usage(there).free
    text, state = Sentence("{free:.1f} GiB free for runs", free / GIB), PROBLEM
    if not os.access(there, os.W_OK):
        text = Sentence("{found}, but nothing may be written there; choose another --out", text)
    elif free < OUTPUT:
        text = Sentence("{found}; free some space or choose another --out", text)
    else:
        state = FINE
    report.add("disk", text, state, there, free=free)


def examine_tools(report: Report) -> None:
    """The video encoder, which is needed last, and the reader of pictures."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "two-frames.mp4").absolute()
        try:
            write_video(np.full((2, 64, 64, 3), 255, np.uint8), file, 4)
            report.add("video", Sentence("ffmpeg encodes H.264"))
        except (OSError, InputError) as error:
            fix, chosen = f"run: {sys.executable} -m {INSTALL}", os.environ.get(VARIABLE)
            if chosen:
                fix = f"let {VARIABLE} name an ffmpeg program, not {chosen}, or unset it"
            reason = str(error).removeprefix(f"Cannot write the video {file}: ").partition("; ")[0]
            text = Sentence("no video can be written: {reason}", reason)
            report.add("video", text, PROBLEM, where=fix, fix=fix.removeprefix("run: "))
    text = Sentence("PNG, JPEG, WebP and GIF, with Pillow {version}", PIL.__version__)
    if pillow_may_decode_jpeg():
        report.add("pictures", text)
    else:
        fix = "pip install --no-deps 'pillow>=13,<14'"
        text = Sentence("{found}; CMYK JPEG with a colour profile need Pillow 13: {fix}", text, fix)
        report.add("pictures", text, NOTE, fix=fix)


def examine_models(report: Report, models: str | ModelFamily, device: torch.device) -> ModelFamily | None:
    """The family a run would use; None if it is not whole."""
    try:
        family = models if isinstance(models, ModelFamily) else find_family(models)
    except (CheckpointError, InputError) as error:
        report.add("models", Sentence("not all files are there"), PROBLEM, where=error)
        return None
    where: object = ""
    sentence = "{family}, which needs no networks and no download"
    if family.name != STROKES:
        sentence = "{family}, with its tagger" if family.tagger_model else "{family}, without a tagger: give a prompt"
        where = family.folders["single_frame"].parent
    report.add("models", Sentence(sentence, family.name), where=where, family=family.name)
    report.add("", Sentence("{other} {how}", *what_else(family.name, device.type)))
    return family


def examine_strokes(report: Report) -> None:
    """How long an example picture takes to be taken apart."""
    example = read_picture(Path(examples.__file__).parent / "girl.png")
    began = time.perf_counter()
    process = plan_process(example)
    seconds = time.perf_counter() - began
    height, width = process.size
    count = len(process.operations)
    sentence = "the default run: {count:,} operations of an example of {width} x {height} in {seconds:.1f} s"
    report.add("run", Sentence(sentence, count, width, height, seconds), minutes=seconds / 60)


def examine_plan(report: Report, family: ModelFamily, device: torch.device, dtype: torch.dtype, vram: str) -> None:
    """How the default run would use the memory, and how long it takes."""
    from paints_undo.execution.parts import Parts

    try:
        engine = PaintsUndo(Parts(family, device, dtype), vram=vram)
        candidate = engine.plan(engine.default_options)
    except (CheckpointError, InputError) as error:
        report.add("run", Sentence("the default run is not possible"), PROBLEM, where=error)
        return
    if candidate.flop is None and family.name == "mini":
        candidate = dataclasses.replace(candidate, flop=MINI_FLOP)
    speed = plans.measure_speed(device, dtype)
    minutes = None if candidate.flop is None else candidate.flop / speed / 60
    text = Sentence("the default run: {plan}", plans.plan_in_words(candidate, speed))
    report.add("run", text, plan=candidate.plan.name, peak=candidate.peak, minutes=minutes)
