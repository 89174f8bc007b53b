"""Measurements as JSON and as plain tables."""

from __future__ import annotations

import platform
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from memory_management import device_in_words, pick_device
from paints_undo.bench.measure import Measurement
from paints_undo.run.record import package_versions

CPU_INFO = Path("/proc/cpuinfo")


def machine(device: str | None, threads: int | None) -> dict[str, Any]:
    """The machine and the versions that the figures belong to."""
    return {
        "device": device_in_words(pick_device(device)),
        "processor": processor(),
        "threads": threads or torch.get_num_threads(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": package_versions(),
    }


def processor() -> str:
    if CPU_INFO.exists():
        for line in CPU_INFO.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def summary(measured: Sequence[Measurement]) -> dict[str, Any]:
    """One plan's runs in plain values: medians, smallest and largest."""
    stages = {
        stage: {
            "seconds": spread([m.stages[stage]["seconds"] for m in measured]),
            "loading_seconds": spread([m.stages[stage]["loading"] for m in measured]),
            "peak_bytes": max(m.stages[stage]["peak_bytes"] for m in measured),
        }
        for stage in measured[0].stages
    }
    return {
        "plan": measured[0].plan,
        "seconds": spread([m.seconds for m in measured]),
        "first_step_seconds": {kind: spread([m.first_step[kind] for m in measured]) for kind in measured[0].first_step},
        "peak_host_bytes": spread([m.host_peak for m in measured]),
        "stages": stages,
        "host_memory": measured[0].host_memory,
    }


def spread(values: Sequence[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "least": min(values), "most": max(values)}


def compare(measured: Sequence[Measurement], against: Sequence[Measurement]) -> dict[str, Any]:
    """How many times faster `measured` is than `against`, and how far their frames lie apart."""
    ratios = [b.seconds / a.seconds for a, b in zip(measured, against, strict=True)]
    difference = np.abs(measured[0].frames.astype(np.int16) - against[0].frames)
    return {
        "times_faster": spread(ratios),
        "greatest_difference": int(difference.max()),  # grey levels
        "share_different": float((difference > 0).mean()),
    }


def stage_table(values: dict[str, Any]) -> str:
    """One plan's stages as measured, in Markdown."""
    rows = [("stage", "seconds", "least .. most", "loading s", "peak GiB"), ("---", *("---:",) * 4)]
    for stage, numbers in values["stages"].items():
        seconds, peak = numbers["seconds"], numbers["peak_bytes"]
        spread = f"{seconds['least']:.2f} .. {seconds['most']:.2f}"
        loading = f"{numbers['loading_seconds']['median']:.2f}"
        rows.append((stage, f"{seconds['median']:.2f}", spread, loading, f"{peak / 2**30:.2f}" if peak else ""))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    aligned = [
        [cell.ljust(widths[0]) if i == 0 else cell.rjust(widths[i]) for i, cell in enumerate(row)] for row in rows
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in aligned)


def plan_lines(values: dict[str, Any]) -> list[str]:
    """What one plan's runs took, in sentences."""
    seconds, host = values["seconds"], values["peak_host_bytes"]
    firsts = values["first_step_seconds"].items()
    return [
        f"plan {values['plan']}: {seconds['median']:.2f} s ({seconds['least']:.2f} .. {seconds['most']:.2f}), "
        f"host memory at most {host['median'] / 2**30:.2f} GiB",
        *(f"first step of the {kind} after {first['median']:.2f} s" for kind, first in firsts),
    ]
