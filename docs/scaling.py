"""Prints the table of docs/scaling.md: a million pictures on up to 1,000 GPUs, simulated: python docs/scaling.py

Workers take pictures one at a time from one driver; driver and storage serve one request after the other.  Times of
pictures scatter, workers die now and then and draw the picture they were at again.
"""

import heapq
from dataclasses import dataclass

import numpy as np

PICTURES = 1_000_000
SCATTER = 0.1  # standard deviation of the logarithm of a picture's seconds
HOURS_BETWEEN_DEATHS = 1000.0  # of one worker


@dataclass(frozen=True)
class Kind:
    """What one picture and one worker cost."""

    name: str
    seconds: float  # of a picture
    start: float  # seconds until a worker draws: imports and networks
    megabytes: float  # of results
    driver: float = 0.0065  # seconds of the driver: measured with fsync on a busy machine


@dataclass(frozen=True)
class Result:
    """What came of one simulation."""

    hours: float
    efficiency: float  # share of the workers' time in which pictures were drawn that stayed
    driver: float  # share of the time in which the driver was busy
    storage: float  # likewise
    idle_tail: float  # share of the workers' time that was spent without work at the end

    @property
    def bottleneck(self) -> str:
        """What keeps the workers from being busy, or nothing but the drawing itself."""
        if max(self.driver, self.storage) > 0.9:
            return "driver" if self.driver > self.storage else "storage"
        return "the last pictures" if self.idle_tail > 0.02 else "drawing"


def simulate(kind: Kind, workers: int, pictures: int, bandwidth: float, pieces: int = 1, seed: int = 0) -> Result:
    """The work of `workers` on `pictures`; bandwidth: MB/s of the storage.  pieces: tasks that a picture falls into."""
    rng, tasks = np.random.default_rng(seed), pictures * pieces
    scattered = rng.lognormal(0, SCATTER, tasks) * kind.seconds / pieces / np.exp(SCATTER**2 / 2)
    deaths = rng.random(tasks) < scattered / (HOURS_BETWEEN_DEATHS * 3600)
    store = kind.megabytes / bandwidth / pieces
    free = [kind.start] * workers
    driver = storage = drawn = 0.0
    for seconds, died in zip(scattered.tolist(), deaths.tolist(), strict=True):
        asked = heapq.heappop(free)
        driver = max(driver, asked) + kind.driver
        ended = driver + seconds + (kind.start + seconds / 2 if died else 0.0)
        # queues are long only where they are the bottleneck, so that the order of requests matters little
        storage = max(storage + store, asked)
        ended = max(ended, storage)
        drawn += seconds
        heapq.heappush(free, ended)
    end = max(free)
    return Result(
        end / 3600,
        drawn / (end * workers),
        tasks * kind.driver / end,
        tasks * store / end,
        sum(end - each for each in free) / (end * workers),
    )


def uneven_shards(pictures: int, shards: int, workers: int, seed: int = 0) -> float:
    """How much longer the fullest worker is busy than the mean, where keys fall into shards by chance."""
    counts = np.random.default_rng(seed).multinomial(pictures, [1 / shards] * shards)
    loads = [0] * workers
    for count in sorted(counts.tolist(), reverse=True):
        heapq.heapreplace(loads, loads[0] + count)
    return max(loads) / (pictures / workers) - 1


KINDS = [
    Kind("published weights, 10 min", 600, 60, 45),
    Kind("published weights, 5 min", 300, 60, 45),
    Kind("four times faster, 75 s", 75, 60, 45),
    Kind("mini on 2 cores, 17.7 s", 17.7, 8, 6),
    Kind("a hundred times faster, 3 s", 3, 60, 45),
]


def main() -> None:
    print(
        "| one picture | workers | pictures | storage MB/s | days | efficiency | driver busy | storage busy | limit |"
    )
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |")
    cases = [(kind, workers, PICTURES, 1000) for kind in KINDS for workers in (8, 1000)]
    cases += [(KINDS[1], 1000, PICTURES, 100), (KINDS[1], 1000, 2500, 1000)]
    for kind, workers, pictures, bandwidth in cases:
        r = simulate(kind, workers, pictures, bandwidth)
        print(
            f"| {kind.name} | {workers:,} | {pictures:,} | {bandwidth} | {r.hours / 24:.2f} | {r.efficiency:.1%} | "
            f"{r.driver:.1%} | {r.storage:.1%} | {r.bottleneck} |"
        )
    whole, spread = (simulate(KINDS[1], 1000, 2500, 1000, pieces) for pieces in (1, 7))
    print(f"\n2,500 pictures on 1,000: {whole.hours:.2f} h as pictures, {spread.hours:.2f} h as segments")
    for shards in (1000, 10_000):
        print(f"{shards:,} shards on 1,000 workers: the fullest has {uneven_shards(PICTURES, shards, 1000):.1%} more")


if __name__ == "__main__":
    main()
