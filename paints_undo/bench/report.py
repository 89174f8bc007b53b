"""Measurements and counts as JSON and as plain tables."""

from __future__ import annotations

import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from memory_management import device_in_words, pick_device
from paints_undo.bench.count import Count
from paints_undo.bench.measure import Measurement
from paints_undo.run.packages import package_versions

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


def summary(measured: Sequence[Measurement], counted: Count) -> dict[str, Any]:
    """One plan's runs in plain values: medians, smallest and largest, and what was counted."""
    stages: dict[str, Any] = {}
    for stage in measured[0].stages:
        runs = [m.stages[stage] for m in measured]
        seconds, loading = ([run[name] for run in runs] for name in ("seconds", "loading"))
        computing = statistics.median(seconds) - statistics.median(loading)
        flop = counted.stages.get(stage, {}).get("flop", 0.0)
        stages[stage] = {
            "seconds": spread(seconds),
            "loading_seconds": spread(loading),
            "peak_bytes": max(run["peak_bytes"] for run in runs),
            "flop": flop,
            "flop_per_second": flop / computing if computing > 0 else 0.0,
        }
    return {
        "plan": measured[0].plan,
        "seconds": spread([m.seconds for m in measured]),
        "first_step_seconds": {kind: spread([m.first_step[kind] for m in measured]) for kind in measured[0].first_step},
        "peak_host_bytes": spread([m.host_peak for m in measured]),
        "stages": stages,
        "host_memory": measured[0].host_memory,
        "counted": counts(counted),
    }


def spread(values: Sequence[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "least": min(values), "most": max(values)}


def counts(counted: Count) -> dict[str, Any]:
    """A count in plain values."""
    sums = {"flop": counted.flop, "bytes_moved": counted.bytes_moved, "peak_device_bytes": counted.peak_bytes}
    return {**asdict(counted), **sums}


def compare(measured: Sequence[Measurement], against: Sequence[Measurement]) -> dict[str, Any]:
    """How many times faster `measured` is than `against`, and how far their frames lie apart."""
    ratios = [b.seconds / a.seconds for a, b in zip(measured, against, strict=True)]
    difference = np.abs(measured[0].frames.astype(np.int16) - against[0].frames)
    return {
        "times_faster": spread(ratios),
        "greatest_difference": int(difference.max()),  # grey levels
        "share_different": float((difference > 0).mean()),
    }


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of equal length, the first one the headings, in Markdown; numbers to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]

    def line(row: Sequence[str]) -> str:
        cells = [c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))]
        return f"| {' | '.join(cells)} |"

    ruler = [("-" * w if i == 0 else "-" * (w - 1) + ":") for i, w in enumerate(widths)]
    return "\n".join([line(rows[0]), line(ruler), *(line(row) for row in rows[1:])])


def stage_table(values: dict[str, Any]) -> str:
    """One plan's stages as measured."""
    rows = [("stage", "seconds", "least .. most", "loading s", "TFLOP", "GFLOP/s", "peak GiB")]
    for stage, numbers in values["stages"].items():
        seconds = numbers["seconds"]
        rows.append(
            (
                stage,
                f"{seconds['median']:.2f}",
                f"{seconds['least']:.2f} .. {seconds['most']:.2f}",
                f"{numbers['loading_seconds']['median']:.2f}",
                f"{numbers['flop'] / 1e12:.3f}" if numbers["flop"] else "",
                f"{numbers['flop_per_second'] / 1e9:.0f}" if numbers["flop"] else "",
                f"{numbers['peak_bytes'] / 2**30:.2f}" if numbers["peak_bytes"] else "",
            )
        )
    return table(rows)


def count_table(counted: Count) -> str:
    """One plan's stages as counted, and the run."""
    names = ("flop", "weight_bytes", "activation_bytes")
    whole = {name: sum(numbers[name] for numbers in counted.stages.values()) for name in names}
    rows: list[tuple[str, ...]] = [("stage", "TFLOP", "weights moved GB", "other moved GB", "device peak GiB")]
    for stage, numbers in {**counted.stages, "run": {**whole, "peak_bytes": counted.peak_bytes}}.items():
        moved = (f"{numbers[name] / 1e9:.3f}" for name in names[1:])
        rows.append((stage, f"{numbers['flop'] / 1e12:.3f}", *moved, f"{numbers['peak_bytes'] / 2**30:.2f}"))
    return table(rows)


def plan_lines(values: dict[str, Any]) -> list[str]:
    """What one plan's runs took, in sentences."""
    seconds, host = values["seconds"], values["peak_host_bytes"]
    firsts = values["first_step_seconds"].items()
    return [
        f"plan {values['plan']}: {seconds['median']:.2f} s ({seconds['least']:.2f} .. {seconds['most']:.2f}), "
        f"host memory at most {host['median'] / 2**30:.2f} GiB",
        *(f"first step of the {kind} after {first['median']:.2f} s" for kind, first in firsts),
    ]
