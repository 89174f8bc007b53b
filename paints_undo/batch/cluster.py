"""Workers on a Ray cluster: on this machine alone, or on one that is running somewhere.

Each worker is an actor that holds the networks and has one task at a time.  Ray neither restarts actors nor repeats
tasks by itself here: who killed a worker has to be known.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paints_undo.batch.scheduling import Outcome, WorkerDied
from paints_undo.batch.tasks import Task, Worker
from paints_undo.errors import EXPECTED, CheckpointError, InputError

if TYPE_CHECKING:
    import ray
    from ray.actor import ActorHandle

log = logging.getLogger(__name__)

ANSWER_SECONDS = 5.0  # for a cluster's address to answer
START_SECONDS = 300.0  # for the first actor
LOOPBACK = "127.0.0.1"
OBJECT_STORE = 256 * 2**20  # bytes: tasks carry one picture file, results go to the store
CPUS_OF_AN_ACTOR = 4


@dataclass(frozen=True)
class Actors:
    """How many actors there are, and what each has."""

    count: int
    cpus: float
    gpus: float

    @property
    def threads(self) -> int:
        """Of each actor's computations."""
        return max(1, int(self.cpus))


def share_out(resources: dict[str, float], count: int | None, cpus: float | None, gpus: float | None) -> Actors:
    """The actors that fit a cluster with these resources, as far as they are not said.

    On GPUs one actor each, else one for every four CPUs.  Raises InputError for more than there is.
    """
    all_cpus, all_gpus = resources.get("CPU", 0.0), resources.get("GPU", 0.0)
    gpus = (1.0 if all_gpus else 0.0) if gpus is None else gpus
    if count is None and gpus:
        count = int(all_gpus / gpus)
    if cpus is None:
        cpus = min(float(CPUS_OF_AN_ACTOR), all_cpus / count if count else all_cpus)
    if count is None:
        count = int(all_cpus / cpus)
    if count < 1 or count * cpus > all_cpus + 1e-6 or count * gpus > all_gpus + 1e-6:
        raise InputError(
            f"{count} actors with {cpus:g} CPUs and {gpus:g} GPUs each do not fit the cluster's {all_cpus:g} CPUs and "
            f"{all_gpus:g} GPUs; change --actors, --actor-cpus or --actor-gpus"
        )
    return Actors(count, cpus, gpus)


@contextlib.contextmanager
def connected(address: str) -> Iterator[ray]:
    """Ray: a new one that only this machine can reach for "local", else the cluster at that address.

    Raises InputError where Ray is not installed or nobody answers.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # read when Ray starts
    if address == "local":
        # Read when Ray is imported: without clusters it binds to 127.0.0.1, on Linux, too.  _node_ip_address alone does
        # not do that, since Ray replaces a loopback address by the machine's own.
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
        os.environ.setdefault("RAY_worker_niceness", "0")  # Ray's 15 would let everything else go first
    else:  # likewise: a server that is no Ray would be asked for many minutes
        os.environ.setdefault("RAY_NUM_REDIS_GET_RETRIES", "1")
        os.environ.setdefault("RAY_py_gcs_connect_timeout_s", "15")
    try:
        import ray
    except ImportError:
        raise InputError("--ray needs Ray; install it with pip install 'paints-undo[cluster]'") from None
    quiet = {"configure_logging": True, "logging_level": logging.ERROR, "log_to_driver": False}
    with contextlib.ExitStack() as stack:
        if address == "local":
            # unix sockets are made below it, and their paths must be short
            place = stack.enter_context(tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True))
            ray.init(
                "local",
                include_dashboard=False,
                object_store_memory=OBJECT_STORE,
                _temp_dir=place,
                **quiet,
            )
        else:
            check_answers(address)
            try:
                ray.init(address, **quiet)
            except (ConnectionError, RuntimeError, ValueError, OSError) as error:
                reason = next(iter(str(error).splitlines()), "")
                raise InputError(
                    f"no Ray cluster can be joined at {address} ({reason}); check the address, and set "
                    "RAY_AUTH_MODE=token where the cluster asks for tokens"
                ) from None
        stack.callback(ray.shutdown)
        if address == "local" and ray.util.get_node_ip_address() != LOOPBACK:
            raise RuntimeError("Ray would be reachable from other machines; start it before anything else imports ray")
        yield ray


def check_answers(address: str) -> None:
    """Raise InputError unless somebody listens at HOST:PORT; Ray itself would try for minutes."""
    if address == "auto":
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        raise InputError(f"the Ray address is {address!r}; use local, auto or HOST:PORT")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise InputError(f"no Ray cluster answers at {address} ({error}); check the address, or start one") from None


class OnCluster:
    """A pool of Ray actors; one that dies is replaced."""

    def __init__(self, engine: Any, make_worker: Callable[[Actors], Worker], actors: Actors):
        """engine: the module ray, connected.  make_worker: called in each actor; must be picklable."""
        self._ray = engine
        self.size, self._actors = actors.count, actors
        self._make_worker = make_worker
        resources = {"num_cpus": actors.cpus, "num_gpus": actors.gpus, "max_restarts": 0, "max_task_retries": 0}
        self._kind = engine.remote(**resources)(Seat)
        self._idle: list[ActorHandle] = [self._start() for _ in range(actors.count)]
        self._under_way: dict[Any, tuple[ActorHandle, Task]] = {}
        self._check_start()

    def submit(self, task: Task) -> None:
        actor = self._idle.pop()
        self._under_way[actor.do.remote(task)] = actor, task

    def wait(self) -> Outcome:
        (ended,), _ = self._ray.wait(list(self._under_way))
        actor, task = self._under_way.pop(ended)
        try:
            facts, error = self._ray.get(ended)
        except self._ray.exceptions.RayError as death:
            log.info("a worker died: %s", death)
            self._ray.kill(actor)  # one that only cannot be reached must not go on, either
            self._idle.append(self._start())
            return Outcome(task, error=WorkerDied())
        self._idle.append(actor)
        return Outcome(task, facts, error)

    def _start(self) -> ActorHandle:
        return self._kind.remote(self._make_worker, self._actors)

    def _check_start(self) -> None:
        """Wait for one actor: where none can start, no item is to blame."""
        waiting = [actor.__ray_ready__.remote() for actor in self._idle]
        ready, _ = self._ray.wait(waiting, timeout=START_SECONDS)
        if not ready:
            raise InputError(
                f"no worker has started on the cluster within {START_SECONDS:.0f} s; free some of it, or ask for less "
                "with --actor-cpus and --actor-gpus"
            )
        try:
            self._ray.get(ready[0])
        except self._ray.exceptions.RayError as error:
            reason = str(error).strip().splitlines()[-1]
            raise CheckpointError(
                f"a worker cannot start on the cluster ({reason}); install the same version of paints-undo on all nodes"
            ) from None


class Seat:
    """What an actor is: a worker, and errors as values, since Ray's own carry tracebacks along."""

    def __init__(self, make_worker: Callable[[Actors], Worker], actors: Actors):
        import torch

        torch.set_num_threads(actors.threads)
        self._worker = make_worker(actors)

    def do(self, task: Task) -> tuple[dict[str, Any], Exception | None]:
        try:
            return self._worker.do(task), None
        except Exception as error:
            return {}, error if isinstance(error, EXPECTED) else RuntimeError(f"{type(error).__name__}: {error}")
