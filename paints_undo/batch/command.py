"""`python -m paints_undo batch`: the command line of many artworks."""

from __future__ import annotations

import argparse
import dataclasses
import json
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from paints_undo import validation
from paints_undo.batch.cluster import Actors, OnCluster, connected, share_out
from paints_undo.batch.dataset import write_dataset
from paints_undo.batch.items import Shard, WorkItem, item_of
from paints_undo.batch.leases import Leases
from paints_undo.batch.ledger import Ledger
from paints_undo.batch.manifest import Found, find_items, manifest_lines
from paints_undo.batch.samples import SampleOptions
from paints_undo.batch.scheduling import Here, Pool, Schedule, Tally
from paints_undo.batch.store import Store, open_store
from paints_undo.batch.table import rows_of, write_table
from paints_undo.batch.tasks import KEYFRAMES, PICTURE, SAMPLE, Worker, is_sound
from paints_undo.engine import Engine
from paints_undo.errors import InputError
from paints_undo.options import UndoOptions
from paints_undo.profiles import with_profile
from paints_undo.progress import OnProgress, ignore, in_words

DONE, FAILED, BAD_INPUT = 0, 1, 2
PLAIN_ENGINE = {"device": "cpu", "dtype": None, "attention": "sdpa", "compiled": False, "workers": 1}


@dataclass(frozen=True)
class RunFlags:
    """The flags of `run` that `batch` shares, and what they are turned into."""

    add_engine_flags: Callable[[argparse.ArgumentParser], None]
    add_drawing_flags: Callable[[argparse.ArgumentParser], None]
    load_engine: Callable[[argparse.Namespace], Engine]
    chosen_options: Callable[[UndoOptions, argparse.Namespace], UndoOptions]
    meter: Callable[[str, bool], OnProgress]

    def names(self) -> set[str]:
        """What the settings of a run are called, on the command line and in a manifest."""
        bare = argparse.ArgumentParser()
        self.add_drawing_flags(bare)
        return set(vars(bare.parse_args([])))


def add_commands(subparsers: argparse._SubParsersAction, flags: RunFlags) -> None:
    """Add `batch` to the command line; it sets `work` to the function that does it."""
    batch = subparsers.add_parser("batch", help="draw many artworks: folders, globs, manifests, on a cluster too")
    batch.add_argument("inputs", nargs="+", metavar="INPUT", help="folder, glob, picture file or JSONL manifest")
    batch.add_argument(
        "--out", required=True, metavar="DIR", help="where results go: a folder, or s3:// and what else fsspec knows"
    )
    flags.add_engine_flags(batch)
    flags.add_drawing_flags(batch)
    batch.add_argument("--save-frames", action="store_true", help="keep every frame as PNG, too")
    batch.add_argument("--quiet", action="store_true", help="say nothing but what went wrong")
    work = batch.add_argument_group("work")
    work.add_argument("--shard", default="1/1", metavar="I/N", help="only this part, from 1/N to N/N, of all items")
    work.add_argument("--attempts", type=int, default=3, help="how often an item may fail, 1 to 100 (3)")
    work.add_argument("--retry-failed", action="store_true", help="forget the failures of earlier calls")
    work.add_argument(
        "--check-done",
        action="store_true",
        help="read the finished runs in a folder, too: what was damaged, replaced or deleted is drawn again",
    )
    work.add_argument(
        "--write-manifest", type=Path, metavar="FILE", help="instead: write all items as a manifest with digests"
    )
    cluster = batch.add_argument_group("cluster")
    cluster.add_argument("--ray", metavar="local|HOST:PORT", help="share the work out among Ray actors")
    cluster.add_argument("--actors", type=int, help="how many; as many as fit by default")
    cluster.add_argument("--actor-cpus", type=float, help="CPUs of each, also 0.5")
    cluster.add_argument("--actor-gpus", type=float, help="GPUs of each, also 0.5; 1 by default where there are any")
    cluster.add_argument(
        "--pieces",
        choices=["pictures", "segments"],
        default="pictures",
        help="what actors are given; with segments, one long video spreads over all of them",
    )
    samples = batch.add_argument_group("dataset")
    samples.add_argument("--dataset", choices=["webdataset", "huggingface"], help="stage 1 alone, as training data")
    samples.add_argument("--line-art-step", type=int, help="operation step of the line art (600)")
    samples.add_argument("--sketch-step", type=int, help="operation step of the coarse sketch (950)")
    samples.add_argument("--tag-probability", type=float, help="the least of tags that are listed, 0 to 1 (0.1)")
    samples.add_argument("--samples-per-shard", type=int, default=256, help="of each file, 1 to 10000 (256)")
    batch.set_defaults(work=partial(batch_command, flags))


def batch_command(flags: RunFlags, chosen: argparse.Namespace) -> int:
    """Draw everything that is asked for and not done yet; the exit status."""
    shard = Shard.parse(chosen.shard)
    validation.whole_number("attempts", chosen.attempts, 1, 100)
    validation.whole_number("samples per shard", chosen.samples_per_shard, 1, 10_000)
    if not chosen.ray and (chosen.actors or chosen.actor_cpus or chosen.actor_gpus or chosen.pieces != "pictures"):
        raise InputError("--actors, --actor-cpus, --actor-gpus and --pieces say how --ray works; give --ray, too")
    store, sample = open_store(chosen.out), sample_options(chosen)
    # on a cluster only the actors compute: this process needs no more than the names of things
    engine = flags.load_engine(argparse.Namespace(**{**vars(chosen), **PLAIN_ENGINE}) if chosen.ray else chosen)
    if chosen.models == "auto":
        chosen.models = engine.family.name  # the same on every node
    found = find(flags, chosen, engine, sample, store)
    found.items = [item for item in found.items if shard.holds(item)]
    for name, item in found.duplicates:
        say(chosen, f"{name}: the same picture and settings as {item.name}; drawn once")
    for what, reason in found.rejected:
        print(f"paints-undo: {what} {reason}", file=sys.stderr)
    if chosen.write_manifest:
        chosen.write_manifest.write_bytes(manifest_lines(found))
        print(f"{len(found.items)} work items are in {chosen.write_manifest}")
        return BAD_INPUT if found.rejected else DONE
    if not found.items:
        return BAD_INPUT if found.rejected else DONE  # an empty shard is no fault
    tally = work_through(flags, chosen, engine, found, store, sample, shard)
    if tally.failed:
        return FAILED
    return BAD_INPUT if found.rejected else DONE


def sample_options(chosen: argparse.Namespace) -> SampleOptions | None:
    """What samples hold; nothing where no dataset is asked for."""
    given = {
        "line_art_step": chosen.line_art_step,
        "sketch_step": chosen.sketch_step,
        "least_probability": chosen.tag_probability,
    }
    given = {name: value for name, value in given.items() if value is not None}
    if not chosen.dataset:
        if given:
            raise InputError(f"--{next(iter(given)).replace('_', '-')} is for --dataset; give that, too")
        return None
    if chosen.ray and chosen.pieces != "pictures":
        raise InputError("a dataset has no segments; leave --pieces segments out")
    return SampleOptions(**given)


def find(
    flags: RunFlags, chosen: argparse.Namespace, engine: Engine, sample: SampleOptions | None, store: Store
) -> Found:
    """The work items of all inputs, each with the command line's settings and what its manifest line changes."""
    made_with = {
        "models": [engine.family.name, engine.family.revision],
        "noise": chosen.noise,
        "dtype": chosen.dtype,
        "bit_exact": chosen.bit_exact,
        "save_frames": chosen.save_frames,
        "sample": sample and dataclasses.asdict(sample),
    }
    defaults = engine.default_options

    chosen_before: dict[str, UndoOptions] = {}  # a million pictures have few different settings

    def options_of(settings: dict[str, Any]) -> UndoOptions:
        line = argparse.Namespace(**{**vars(chosen), **settings})
        options = flags.chosen_options(with_profile(defaults, line.profile), line)
        engine.family.check_keyframe_size(options.keyframes.width, options.keyframes.height)
        return options

    def make_item(path: Path, digest: str, settings: dict[str, Any]) -> WorkItem:
        text = json.dumps(settings, sort_keys=True)
        if text not in chosen_before:
            chosen_before[text] = options_of(settings)
        return item_of(path, digest, chosen_before[text], made_with)

    make_item(Path("any"), "", {})  # the command line's own settings: wrong ones are not every picture's fault
    return find_items(chosen.inputs, make_item, flags.names(), store.folder)


def work_through(
    flags: RunFlags,
    chosen: argparse.Namespace,
    engine: Engine,
    found: Found,
    store: Store,
    sample: SampleOptions | None,
    shard: Shard,
) -> Tally:
    """Everything but the inputs: the workers, the work, the run table, the dataset."""
    ledger = Ledger(store)
    if chosen.retry_failed:
        ledger.forget_failures()
    if chosen.check_done:
        if store.folder is None or sample:
            raise InputError("--check-done reads run folders: use it with a folder as --out, and without --dataset")
        done = [item for item in found.items if ledger.history(item.key).done]
        ledger.forget([item for item in done if not is_sound(store.folder / item.folder)])
    first = SAMPLE if sample else KEYFRAMES if chosen.pieces == "segments" else PICTURE
    leases = Leases(store.folder and store.folder / "batch" / "leases")

    def work(pool: Pool) -> Tally:
        schedule = Schedule(ledger, leases, pool, first, chosen.attempts, partial(tell, chosen))
        return schedule.work_through(found.items)

    with terminated_as_interrupted():
        try:
            if chosen.ray:
                tally = on_ray(flags, chosen, store, sample, work)
            else:
                worker = Worker(lambda: engine, store, chosen.save_frames, sample)
                tally = work(Here(worker, partial(meter_of, flags, chosen)))
        finally:
            ledger.refresh()
            write_table(store, rows_of(ledger.histories, found))
        if sample:
            done = [item for item in found.items if ledger.history(item.key).done]
            for name in write_dataset(chosen.dataset, store, done, chosen.samples_per_shard, shard):
                say(chosen, f"{chosen.out}/{name}")
    say(
        chosen,
        f"{tally.done} drawn, {tally.before} drawn before, {tally.failed} failed, {tally.elsewhere} in other hands; "
        f"{chosen.out}/runs.jsonl tells of each",
    )
    return tally


def on_ray(
    flags: RunFlags,
    chosen: argparse.Namespace,
    store: Store,
    sample: SampleOptions | None,
    work: Callable[[Pool], Tally],
) -> Tally:
    """The work done by actors."""
    portable = argparse.Namespace(**{name: value for name, value in vars(chosen).items() if name != "work"})
    portable.workers = 1  # actors are the workers
    load_engine, save_frames = flags.load_engine, chosen.save_frames

    def make_worker(actors: Actors) -> Worker:
        portable.vram = share_of_memory(portable.vram, portable.device, actors.gpus)
        return Worker(partial(load_engine, portable), store, save_frames, sample)

    with connected(chosen.ray) as ray:
        actors = share_out(ray.cluster_resources(), chosen.actors, chosen.actor_cpus, chosen.actor_gpus)
        say(chosen, f"{actors.count} actors with {actors.cpus:g} CPUs and {actors.gpus:g} GPUs each")
        return work(OnCluster(ray, make_worker, actors))


def share_of_memory(vram: str, device: str | None, gpus: float) -> str:
    """The memory that an actor may use: of a GPU that it shares no more than its part, which Ray does not see to."""
    from memory_management import device_memory, pick_device  # loads PyTorch, which `--help` need not wait for

    if vram != "auto" or not 0 < gpus < 1:
        return vram
    total = device_memory(pick_device(device))[1]
    return vram if total is None else f"{total * gpus / 2**30:.2f}"


def meter_of(flags: RunFlags, chosen: argparse.Namespace, item: WorkItem) -> OnProgress:
    """Progress within a picture, on a terminal alone: elsewhere it would hide the lines about pictures."""
    return flags.meter(item.name, False) if sys.stderr.isatty() and not chosen.quiet else ignore


def tell(chosen: argparse.Namespace, tally: Tally, item: WorkItem, state: str, what: str) -> None:
    """One line about an item, with the rate and the time left."""
    if state in ("failed", "again"):
        print(f"paints-undo: {item.name}: {what.removeprefix(item.name + ' ')}", file=sys.stderr, flush=True)
        return
    line = f"[{tally.settled}/{tally.total}] {item.name}: {what}"
    if tally.seconds_left is not None and tally.settled < tally.total:
        line += f"; {60 * tally.rate:.3g} a minute, {in_words(tally.seconds_left)} left"
    say(chosen, line)


def say(chosen: argparse.Namespace, line: str) -> None:
    if not chosen.quiet:
        print(line, file=sys.stderr, flush=True)


class terminated_as_interrupted:
    """In this block SIGTERM, which schedulers send before they kill, ends the program as Ctrl-C does."""

    def __enter__(self) -> None:
        self._before = None
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGTERM, interrupt)

    def __exit__(self, *exception: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)


def interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt
