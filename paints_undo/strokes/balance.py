"""Strokes made even: in one piece each, large enough to be seen, and exactly as many as there is room for."""

from __future__ import annotations

import heapq
from dataclasses import replace

import cv2
import numpy as np
from scipy import ndimage

from paints_undo.strokes.cells import path_of, split_by_mass
from paints_undo.strokes.drafts import Draft, Drafts
from paints_undo.strokes.ink import ellipse
from paints_undo.strokes.operations import nearest_label

SPRAY = "spray"  # the brush of a stroke of many dots
MOST_SPECKLED = 4  # strokes of a phase that may be a spray of specks


def in_one_piece(drafts: Drafts, seen: np.ndarray, least: int, leave_out: bool = False) -> Drafts:
    """The strokes with what is seen of each in one piece: other pieces become strokes, or specks of a few strokes.

    seen: bool (H, W), where a stroke of this phase shows.  least: pixels that a stroke must show.  leave_out: a later
    phase makes good what is painted in another colour, or not at all.
    """
    side = max(seen.shape)
    near = ellipse(max(3, round(0.01 * side)))
    pad = near.shape[0]
    labels, strokes, order = drafts.labels.copy(), list(drafts.strokes), list[int]()
    specks: list[tuple[np.ndarray, np.ndarray]] = []
    main = np.zeros_like(labels)
    boxes = ndimage.find_objects(labels, len(strokes))
    for number, box in enumerate(boxes, 1):
        if box is None:
            continue
        if strokes[number - 1].brush == SPRAY:
            order.append(number - 1)
            continue
        mine = labels[box] == number
        shown = mine & seen[box]
        closed = cv2.morphologyEx(np.pad(shown.astype(np.uint8), pad), cv2.MORPH_CLOSE, near)
        found, pieces = cv2.connectedComponents(closed, connectivity=8)
        pieces = pieces[pad:-pad, pad:-pad]
        area = np.bincount(pieces[shown], minlength=found)
        largest = int(area[1:].argmax()) + 1 if found > 1 else 0
        own = [k for k in range(1, found) if area[k] >= least]
        if found > 1 and area[largest] >= least:
            order.append(number - 1)
            main[box][shown & (pieces == largest)] = number
        for k in range(1, found):
            if k == largest and area[k] >= least:
                continue
            ys, xs = np.nonzero(shown & (pieces == k))
            ys, xs = ys + box[0].start, xs + box[1].start
            if k in own:
                strokes.append(replace(strokes[number - 1], path=path_of(xs, ys)))
                labels[ys, xs] = main[ys, xs] = len(strokes)
                order.append(len(strokes) - 1)
            elif len(ys):
                specks.append((ys, xs))
    specks = [speck for speck in specks if not _goes_along(labels, strokes, main, speck, near, leave_out)]
    if leave_out:
        for speck in specks:
            labels[speck] = 0
        return Drafts(labels, strokes).in_order(order)
    order += _sprayed(labels, strokes, specks, least)
    return _owed_kept(drafts, Drafts(labels, strokes), order)


def _goes_along(
    labels: np.ndarray,
    strokes: list[Draft],
    main: np.ndarray,
    speck: tuple[np.ndarray, np.ndarray],
    near: np.ndarray,
    with_any: bool,
) -> bool:
    """Whether a speck makes one piece with a stroke beside it, which then owns it: beyond a line that cut it off, say.

    main: the stroke that is seen at each pixel, without specks.  near: the kernel that closes gaps which are not seen.
    with_any: also a stroke that paints otherwise, after those that paint alike.
    """
    ys, xs = speck
    reach = near.shape[0]
    top, left = max(0, ys.min() - 2 * reach), max(0, xs.min() - 2 * reach)
    around = main[top : ys.max() + 2 * reach, left : xs.max() + 2 * reach]
    mine = np.zeros(around.shape, np.uint8)
    mine[ys - top, xs - left] = 1
    beside = np.bincount(around[cv2.dilate(mine, near) > 0])
    key = _key(strokes[labels[ys[0], xs[0]] - 1])
    found = [(_key(strokes[k - 1]) != key, -beside[k], k) for k in np.flatnonzero(beside).tolist() if k]
    for other, _, k in sorted(found):
        if other and not with_any:
            return False
        closed = cv2.morphologyEx(np.pad(mine | (around == k), reach), cv2.MORPH_CLOSE, near)
        pieces = cv2.connectedComponents(closed, connectivity=8)[1][reach:-reach, reach:-reach]
        if np.isin(pieces[mine > 0], pieces[around == k]).all():
            labels[speck] = k
            return True
    return False


def _sprayed(
    labels: np.ndarray, strokes: list[Draft], specks: list[tuple[np.ndarray, np.ndarray]], least: int
) -> list[int]:
    """Specks that are far from everything, as a few strokes of many dots; what cannot be seen at all stays."""
    alike: dict[tuple[str, object], list[tuple[np.ndarray, np.ndarray]]] = {}
    for ys, xs in specks:
        key = _key(strokes[int(labels[ys[0], xs[0]]) - 1])
        if key[1] is None:
            alike.setdefault(key, []).append((ys, xs))
    made: list[int] = []
    for some in alike.values():
        sizes = np.array([len(ys) for ys, _ in some], float)
        middles = np.array([(xs.mean(), ys.mean()) for ys, xs in some])
        count = int(np.clip(sizes.sum() // (3 * least), 1, MOST_SPECKLED))
        for group in split_by_mass(middles[:, 0], middles[:, 1], sizes, count):
            if sizes[group].sum() < least:
                continue
            ys, xs = (np.concatenate([some[k][axis] for k in group]) for axis in (0, 1))
            order = np.argsort(xs + ys, kind="stable")
            path = np.column_stack([xs[order], ys[order], np.ones(len(xs))])[:: max(1, len(xs) // 20)]
            parent = strokes[int(labels[ys[0], xs[0]]) - 1]
            title = parent.title.replace("shade", "specks on")
            strokes.append(replace(parent, brush=SPRAY, path=path.astype(np.float32), title=title))
            labels[ys, xs] = len(strokes)
            made.append(len(strokes) - 1)
    return made


def _key(stroke: Draft) -> tuple[str, object]:
    """What makes two strokes paint alike."""
    return stroke.layer, stroke.colour if stroke.key is None else stroke.key


def _owed_kept(before: Drafts, after: Drafts, order: list[int]) -> Drafts:
    """The strokes in order; pixels of strokes that went go to the nearest stroke that paints alike.

    Of strokes that paint alike, one stays.
    """
    there_is = {_key(after.strokes[k]) for k in order}
    for k, stroke in enumerate(before.strokes):
        if _key(stroke) not in there_is:
            there_is.add(_key(stroke))
            order = [*order, k]
    kept = after.in_order(order)
    lost = (before.labels > 0) & (kept.labels == 0)
    if not lost.any():
        return kept
    number = {key: n for n, key in enumerate(there_is, 1)}
    keys = np.array([0] + [number[_key(stroke)] for stroke in before.strokes])
    kept_keys = np.array([0] + [number[_key(stroke)] for stroke in kept.strokes])
    wanted, have, labels = keys[before.labels], kept_keys[kept.labels], kept.labels.copy()
    for key in np.unique(wanted[lost]):
        here = lost & (wanted == key)
        labels[here] = nearest_label(np.where(have == key, kept.labels, 0))[here]
    return Drafts(labels, kept.strokes)


def all_seen(drafts: Drafts, seen: np.ndarray, least: int) -> Drafts:
    """The strokes that show at least `least` pixels; what the others own goes to the nearest of their layer."""
    shown = np.bincount(drafts.labels[seen], minlength=len(drafts.strokes) + 1)[1:]
    keep = np.flatnonzero(shown >= least)
    if len(keep) == len(drafts.strokes):
        return drafts
    kept = drafts.in_order(keep.tolist())
    lost, labels = (drafts.labels > 0) & (kept.labels == 0), kept.labels.copy()
    for layer in {stroke.layer for stroke in kept.strokes}:
        before, after = _on(drafts, layer)[drafts.labels], _on(kept, layer)[kept.labels]
        labels[lost & before] = nearest_label(np.where(after, kept.labels, 0))[lost & before]
    return Drafts(labels, kept.strokes)


def _on(drafts: Drafts, layer: str) -> np.ndarray:
    """For every label from 0, whether its stroke is on a layer."""
    return np.array([False] + [stroke.layer == layer for stroke in drafts.strokes])


def fewer(drafts: dict[str, Drafts], seen: dict[str, np.ndarray], wanted: int) -> dict[str, Drafts]:
    """`wanted` strokes fewer: those that show least of all become part of a stroke beside them that paints alike."""
    if wanted <= 0:
        return drafts
    state = {phase: _Halves(part, seen[phase]) for phase, part in drafts.items()}
    heap = [(area, phase, k) for phase, halves in state.items() for k, area in enumerate(halves.area)]
    heapq.heapify(heap)
    while wanted > 0 and heap:
        area, phase, k = heapq.heappop(heap)
        halves = state[phase]
        if area != halves.area[k] or k in halves.gone:
            continue
        into = halves.join(k)
        if into is not None:
            wanted -= 1
            heapq.heappush(heap, (halves.area[into], phase, into))
    return {phase: halves.drafts() for phase, halves in state.items()}


def split(
    drafts: dict[str, Drafts], seen: dict[str, np.ndarray], wanted: int, least: int, weights: dict[str, float]
) -> dict[str, Drafts]:
    """`wanted` more strokes, by halving those that show most; fewer where none shows enough for two.

    weights: how much a phase's strokes count: 2 halves twice as small ones as 1.
    """
    state = {phase: _Halves(part, seen[phase]) for phase, part in drafts.items() if phase in weights}
    heap = [
        (-float(area) * weights[phase], phase, k, int(area))
        for phase, halves in state.items()
        for k, area in enumerate(halves.area)
    ]
    heapq.heapify(heap)
    while wanted > 0 and heap:
        _, phase, k, area = heapq.heappop(heap)
        if area < 2.4 * least:
            continue
        made = state[phase].halve(k, least)
        if made is None:
            continue
        wanted -= 1
        for part in (k, made):
            area = state[phase].area[part]
            heapq.heappush(heap, (-float(area) * weights[phase], phase, part, area))
    return {**drafts, **{phase: halves.drafts() for phase, halves in state.items()}}


class _Halves:
    """Strokes of a phase that are being halved."""

    def __init__(self, drafts: Drafts, seen: np.ndarray):
        self.labels, self.strokes, self.seen = drafts.labels.copy(), list(drafts.strokes), seen
        self.area = np.bincount(self.labels[seen], minlength=len(self.strokes) + 1)[1:].tolist()
        self.boxes = list(ndimage.find_objects(self.labels, len(self.strokes)))
        self.after: list[list[int]] = [[] for _ in self.strokes]
        self.first = len(self.strokes)
        self.gone: set[int] = set()

    def join(self, k: int) -> int | None:
        """Make a stroke part of one beside it that paints alike; that one's place, or None where there is none."""
        box = self.boxes[k]
        if box is None:
            return None
        reach = max(2, round(0.005 * max(self.seen.shape)))
        wide = tuple(slice(max(0, side.start - reach), side.stop + reach) for side in box)
        mine = (self.labels[wide] == k + 1) & self.seen[wide]
        around = cv2.dilate(mine.astype(np.uint8), ellipse(2 * reach + 1)) > 0
        beside = np.bincount(self.labels[wide][around & self.seen[wide]])
        for other in np.argsort(-beside, kind="stable"):
            if not beside[other]:
                return None
            if other and other - 1 != k and _key(self.strokes[other - 1]) == _key(self.strokes[k]):
                into = int(other) - 1
                self.labels[box][self.labels[box] == k + 1] = other
                self.area[into] += self.area[k]
                there = self.boxes[into]
                assert there is not None
                self.boxes[into] = (
                    slice(min(box[0].start, there[0].start), max(box[0].stop, there[0].stop)),
                    slice(min(box[1].start, there[1].start), max(box[1].stop, there[1].stop)),
                )
                self.gone.add(k)
                return into
        return None

    def halve(self, k: int, least: int) -> int | None:
        """Cut a stroke across its longer axis; the second half's place, or None where it cannot be cut."""
        box = self.boxes[k]
        if box is None or self.strokes[k].brush == SPRAY:
            return None
        ys, xs = np.nonzero(self.labels[box] == k + 1)
        shown = self.seen[box][ys, xs]
        dx, dy = xs - xs.mean(), ys - ys.mean()
        angle = 0.5 * np.arctan2(2 * (dx * dy).mean(), (dx * dx).mean() - (dy * dy).mean() + 1e-6)
        along = dx * np.cos(angle) + dy * np.sin(angle)
        second = along > np.median(along[shown])
        if min(shown[second].sum(), shown[~second].sum()) < least:
            return None
        self.strokes.append(self.strokes[k])
        self.after.append([])
        new = len(self.strokes)
        self.labels[box][ys[second], xs[second]] = new
        for place, part in ((k, ~second), (new - 1, second)):
            path = path_of(xs[part] + box[1].start, ys[part] + box[0].start)
            self.strokes[place] = replace(self.strokes[place], path=path)
        self.area[k] = int(shown[~second].sum())
        self.area.append(int(shown[second].sum()))
        self.boxes.append(box)
        self.after[k].insert(0, new - 1)
        return new - 1

    def drafts(self) -> Drafts:
        """The strokes, each half right after the other."""
        order: list[int] = []
        stack = list(range(self.first))[::-1]
        while stack:
            k = stack.pop()
            if k not in self.gone:
                order.append(k)
            stack += self.after[k][::-1]
        return Drafts(self.labels, self.strokes).in_order(order)
