"""`python -m paints_undo batch`: the command line of many artworks."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from paints_undo import validation
from paints_undo.batch.cluster import Actors, OnCluster, connected, share_out
from paints_undo.batch.dataset import KINDS, SampleOptions, write_dataset
from paints_undo.batch.items import Found, Shard, WorkItem, find_items, item_of, manifest_lines
from paints_undo.batch.ledger import Leases, Ledger, rows_of, write_table
from paints_undo.batch.scheduling import Here, Pool, Schedule, Tally
from paints_undo.batch.store import Store, open_store
from paints_undo.batch.tasks import Worker, is_sound
from paints_undo.commands import (
    BAD_INPUT,
    DONE,
    FAILED,
    Meter,
    add_drawing_flags,
    add_engine_flags,
    chosen_options,
    complain,
    drawing_flags,
    load_engine,
)
from paints_undo.engine import Engine
from paints_undo.errors import InputError
from paints_undo.options import UndoOptions
from paints_undo.progress import OnProgress, ignore, in_words

PLAIN_ENGINE = {"device": "cpu", "dtype": None, "attention": "sdpa", "compiled": False, "workers": 1}


def add_commands(subparsers: argparse._SubParsersAction) -> None:
    """Add `batch` to the command line; it sets `work` to the function that does it."""
    batch = subparsers.add_parser("batch", help="draw many artworks: folders, globs, manifests, on a cluster too")
    batch.add_argument("inputs", nargs="+", metavar="INPUT", help="folder, glob, picture file or JSONL manifest")
    batch.add_argument(
        "--out", required=True, metavar="DIR", help="where results go: a folder, or s3:// and what else fsspec knows"
    )
    add_engine_flags(batch)
    add_drawing_flags(batch)
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
    cluster.add_argument("--pieces", help=argparse.SUPPRESS)  # of earlier versions, which shared single segments out
    samples = batch.add_argument_group("dataset")
    samples.add_argument("--dataset", choices=KINDS, help="stage 1 alone, as training data")
    samples.add_argument("--line-art-step", type=int, help="operation step of the line art (600)")
    samples.add_argument("--sketch-step", type=int, help="operation step of the coarse sketch (950)")
    samples.add_argument("--tag-probability", type=float, help="the least of tags that are listed, 0 to 1 (0.1)")
    samples.add_argument("--samples-per-shard", type=int, default=256, help="of each file, 1 to 10000 (256)")
    batch.set_defaults(work=batch_command)


def batch_command(chosen: argparse.Namespace) -> int:
    """Draw everything that is asked for and not done yet; the exit status."""
    shard = Shard.parse(chosen.shard)
    validation.whole_number("attempts", chosen.attempts, 1, 100)
    validation.whole_number("samples per shard", chosen.samples_per_shard, 1, 10_000)
    if not chosen.ray and (chosen.actors or chosen.actor_cpus or chosen.actor_gpus):
        raise InputError("--actors, --actor-cpus and --actor-gpus say how --ray works; give --ray, too")
    if chosen.pieces not in (None, "pictures"):
        complain("--pieces is no longer needed and changes nothing: actors are given whole pictures")
    store, sample = open_store(chosen.out), sample_options(chosen)
    # on a cluster only the actors compute: this process needs no more than the names of things
    engine = load_engine(argparse.Namespace(**{**vars(chosen), **PLAIN_ENGINE}) if chosen.ray else chosen)
    if chosen.models == "auto":
        chosen.models = engine.family.name  # the same on every node
    if engine.default_options.in_strokes and not {chosen.line_art_step, chosen.sketch_step} <= {None}:
        sentence = "the model family {family} has line art and sketch on layers; leave their operation steps out"
        raise InputError(sentence, engine.family.name)
    batch = Batch(chosen, engine, store, sample, shard)
    found = batch.find()
    for name, item in found.duplicates:
        batch.say(f"{name}: the same picture and settings as {item.name}; drawn once")
    for what, reason in found.rejected:
        complain(f"{what} {reason}")
    if chosen.write_manifest:
        chosen.write_manifest.write_bytes(manifest_lines(found))
        print(f"{len(found.items)} work items are in {chosen.write_manifest}")
    elif found.items and batch.work_through(found).failed:  # an empty shard is no fault
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
    return SampleOptions(**given)


@dataclass(frozen=True)
class Batch:
    """One call of the command."""

    chosen: argparse.Namespace
    engine: Engine
    store: Store
    sample: SampleOptions | None  # where a dataset is asked for
    shard: Shard

    def find(self) -> Found:
        """The shard's work items, each with the command line's settings and what its manifest line changes."""
        chosen, family = self.chosen, self.engine.family
        made_with = {
            "models": [family.name, family.revision],
            "noise": chosen.noise,
            "dtype": chosen.dtype,
            "bit_exact": chosen.bit_exact,
            "save_frames": chosen.save_frames,
            "sample": self.sample and dataclasses.asdict(self.sample),
        }
        chosen_before: dict[str, UndoOptions] = {}  # a million pictures have few different settings

        def make_item(path: Path, digest: str, settings: dict[str, Any]) -> WorkItem:
            text = json.dumps(settings, sort_keys=True)
            if text not in chosen_before:
                line = argparse.Namespace(**{**vars(chosen), **settings})
                options = chosen_before[text] = chosen_options(self.engine.default_options, line)
                family.check(options)
            return item_of(path, digest, chosen_before[text], made_with)

        make_item(Path("any"), "", {})  # the command line's own settings: wrong ones are not every picture's fault
        found = find_items(chosen.inputs, make_item, drawing_flags(), self.store.folder)
        found.items = [item for item in found.items if self.shard.holds(item)]
        return found

    def work_through(self, found: Found) -> Tally:
        """Everything but the inputs: the workers, the work, the run table, the dataset."""
        chosen, store, ledger = self.chosen, self.store, Ledger(self.store)
        if chosen.retry_failed:
            ledger.forget_failures()
        if chosen.check_done:
            if store.folder is None or self.sample:
                raise InputError("--check-done reads run folders: use it with a folder as --out, and without --dataset")
            done = [item for item in found.items if ledger.history(item.key).done]
            ledger.forget([item for item in done if not is_sound(store.folder / item.folder)])
        leases = Leases(store.folder and store.folder / "batch" / "leases")

        def work(pool: Pool) -> Tally:
            return Schedule(ledger, leases, pool, chosen.attempts, self.tell).work_through(found.items)

        with terminated_as_interrupted():
            try:
                if chosen.ray:
                    tally = self.on_ray(work)
                else:
                    worker = Worker(lambda: self.engine, store, chosen.save_frames, self.sample)
                    tally = work(Here(worker.do, self.meter))
            finally:
                ledger.refresh()
                write_table(store, rows_of(ledger.histories, found))
            if self.sample:
                done = [item for item in found.items if ledger.history(item.key).done]
                for name in write_dataset(chosen.dataset, store, done, chosen.samples_per_shard, self.shard):
                    self.say(f"{chosen.out}/{name}")
        self.say(
            f"{tally.done} drawn, {tally.before} drawn before, {tally.failed} failed, {tally.elsewhere} in other "
            f"hands; {chosen.out}/runs.jsonl tells of each"
        )
        return tally

    def on_ray(self, work: Callable[[Pool], Tally]) -> Tally:
        """The work done by actors."""
        chosen, store, sample = self.chosen, self.store, self.sample  # all that travels: no engine
        portable = argparse.Namespace(**{name: value for name, value in vars(chosen).items() if name != "work"})
        portable.workers = 1  # actors are the workers

        def make_worker(actors: Actors) -> Worker:
            portable.vram = share_of_memory(portable.vram, portable.device, actors.gpus)
            return Worker(partial(load_engine, portable), store, portable.save_frames, sample)

        with connected(chosen.ray) as ray:
            actors = share_out(ray.cluster_resources(), chosen.actors, chosen.actor_cpus, chosen.actor_gpus)
            self.say(f"{actors.count} actors with {actors.cpus:g} CPUs and {actors.gpus:g} GPUs each")
            return work(OnCluster(ray, make_worker, actors))

    def meter(self, item: WorkItem) -> OnProgress:
        """Progress within a picture, on a terminal alone: elsewhere it would hide the lines about pictures."""
        return Meter(item.name, False) if sys.stderr.isatty() and not self.chosen.quiet else ignore

    def tell(self, tally: Tally, item: WorkItem, state: str, what: str) -> None:
        """One line about an item, with the rate and the time left."""
        if state in ("failed", "again"):
            complain(f"{item.name}: {what.removeprefix(item.name + ' ')}")
            return
        line = f"[{tally.settled}/{tally.total}] {item.name}: {what}"
        if tally.seconds_left is not None and tally.settled < tally.total:
            line += f"; {60 * tally.rate:.3g} a minute, {in_words(tally.seconds_left)} left"
        self.say(line)

    def say(self, line: str) -> None:
        """Say it on stderr, if anything is to be said."""
        if not self.chosen.quiet:
            print(line, file=sys.stderr, flush=True)


def share_of_memory(vram: str, device: str | None, gpus: float) -> str:
    """The memory that an actor may use: of a GPU that it shares no more than its part, which Ray does not see to."""
    from memory_management import (
        device_memory,  # loads torch
        pick_device,  # loads torch
    )

    if vram != "auto" or not 0 < gpus < 1:
        return vram
    total = device_memory(pick_device(device))[1]
    return vram if total is None else f"{total * gpus / 2**30:.2f}"


@contextlib.contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """In this block SIGTERM, which schedulers send before they kill, ends the program as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():  # to which signals belong
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
