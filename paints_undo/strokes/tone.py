"""Tone in a sketch: the dark masses, hatched back and forth with the side of the lead."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from paints_undo.strokes.ink import ellipse
from paints_undo.strokes.look import Findings
from paints_undo.strokes.operations import Operation
from paints_undo.strokes.pencil import Hand, Lead

SPOT, SPOT_DARKER = 18, 60  # a spot's largest size, of the longer side, and its grey levels under what surrounds it
SQUINTED = 220  # pixels of the longer side that tones are seen at
ROWS = 7  # back and forth in one go


def tone_strokes(findings: Findings, hand: Hand, lead: Lead, count: int) -> list[Operation]:
    """About `count` operations of tone over the dark masses, darkest where the picture is."""
    side = findings.side
    levels = _levels(findings)
    slant = float(hand.rng.uniform(-1.1, -0.6))
    space = 1.5 * lead.half * side
    chains: list[tuple[int, float, np.ndarray]] = []
    for _ in range(6):  # broader, until there are few enough
        chains = [
            (area, dark, path)
            for mask, dark in levels
            for area, path in _chains(mask, slant, space, hand)
            if area > 5 * space * space
        ]
        if len(chains) <= count:
            break
        space *= max(1.15, (len(chains) / max(1, count)) ** 0.5)
    chains.sort(key=lambda entry: -entry[0])
    chosen = sorted(chains[:count], key=lambda entry: (-entry[1], entry[2][0, 1]))
    return [
        hand.zigzag(path, 0.36 * space, replace(lead, opacity=lead.opacity * dark), "sketch", "lay in a dark mass")
        for _, dark, path in chosen
    ]


def dark_spots(findings: Findings, hand: Hand, lead: Lead, count: int) -> list[Operation]:
    """At most `count` operations that black in small dark shapes: pupils, nostrils, buttons."""
    side, size = findings.side, findings.figure.size
    light: np.ndarray = cv2.cvtColor(cv2.GaussianBlur(findings.artwork, (0, 0), side / 500), cv2.COLOR_RGB2LAB)[..., 0]
    closed = cv2.morphologyEx(light, cv2.MORPH_CLOSE, ellipse(side / SPOT))
    dark = ((closed - light) > SPOT_DARKER).astype(np.uint8)
    dark = cv2.morphologyEx(dark, cv2.MORPH_OPEN, ellipse(side / 140))  # lines are no spots
    _, labels, boxes, middles = cv2.connectedComponentsWithStats(dark, connectivity=4)
    found = []
    for k, (x, y, width, height, area) in enumerate(boxes.tolist()):
        if k == 0 or not 1.6e-4 * size < area < 4e-3 * size or area < 0.3 * max(width, height) ** 2:
            continue
        box = (slice(y, y + height), slice(x, x + width))
        mask = labels[box] == k
        zone = int(findings.zones_at(middles[k][None])[0])
        away = float(((middles[k] - findings.focus) ** 2).sum()) / side**2
        score = float((closed - light)[box][mask].mean()) * area**0.25 / (1 + 0.6 * zone) / (1 + 4 * away)
        found.append((score, mask, np.array((x, y))))
    found.sort(key=lambda entry: -entry[0])
    out = []
    for _, mask, corner in found[:count]:
        half = max(0.6, lead.half * side)
        chains = _chains(mask, float(hand.rng.uniform(-1.1, -0.6)), 1.9 * half, hand, len(mask))
        if chains:
            path = max(chains, key=lambda chain: chain[0])[1] + corner
            out.append(hand.zigzag(path, half, lead, "sketch", "black in a dark spot"))
    return out


def _levels(findings: Findings) -> list[tuple[np.ndarray, float]]:
    """Masks, bool (H, W), of the dark masses, and how dark each is, 0 to 1: two steps, as an eye half closed sees."""
    artwork = findings.artwork
    scale = min(1.0, SQUINTED / findings.side)
    small = cv2.resize(artwork, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    lab: np.ndarray = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    tone = lab[..., 0] - 0.4 * np.hypot(lab[..., 1], lab[..., 2])  # a saturated colour is seen as darker
    tone -= 0.4 * cv2.GaussianBlur(tone, (0, 0), SQUINTED / 6)
    calm = cv2.medianBlur(np.clip(tone + 60, 0, 255).astype(np.uint8), 7)
    calm = cv2.resize(calm, artwork.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    dark, middle = np.percentile(calm, (22, 45))
    light = float(np.percentile(calm, 85))
    out = []
    if dark < light - 12:
        out.append((calm <= dark, 1.0))
    if dark + 4 < middle < light - 10:
        out.append(((calm > dark) & (calm <= middle), 0.5))
    return out


def _chains(mask: np.ndarray, slant: float, space: float, hand: Hand, rows: int = ROWS) -> list[tuple[int, np.ndarray]]:
    """A mask as zigzags: (pixels covered, path (n, 2))."""
    thin = max(1, int(space / 3))
    ys, xs = np.nonzero(mask[::thin, ::thin])
    ys, xs = ys * thin, xs * thin
    cos, sin = np.cos(slant), np.sin(slant)
    along, across = xs * cos + ys * sin, ys * cos - xs * sin
    row = np.floor(across / space).astype(int)
    order = np.lexsort((along, row))
    along, row = along[order], row[order]
    cuts = np.flatnonzero((np.diff(row) != 0) | (np.diff(along) > 2.2 * thin)) + 1
    open_chains: list[list[tuple[int, float, float]]] = []
    done: list[list[tuple[int, float, float]]] = []
    for part, number in zip(np.split(along, cuts), np.split(row, cuts), strict=True):
        if len(part) < 2:
            continue
        run = (int(number[0]), float(part[0]), float(part[-1]))
        done += [chain for chain in open_chains if chain[-1][0] < run[0] - 1 or len(chain) >= rows]
        open_chains = [chain for chain in open_chains if chain[-1][0] >= run[0] - 1 and len(chain) < rows]
        for chain in open_chains:
            last = chain[-1]
            overlap = min(last[2], run[2]) - max(last[1], run[1])
            if last[0] == run[0] - 1 and overlap > 0.5 * min(last[2] - last[1], run[2] - run[1]):
                chain.append(run)
                break
        else:
            open_chains.append([run])
    out = []
    for chain in done + open_chains:
        places = []
        for k, (line, low, high) in enumerate(chain):
            first, second = (low, high) if k % 2 == 0 else (high, low)
            across_now = (line + 0.5) * space
            for at in (first, second):
                at += float(hand.rng.normal(0, 0.25 * space))
                places.append((at * cos - across_now * sin, at * sin + across_now * cos))
        covered = int(sum(high - low for _, low, high in chain) * space)
        out.append((covered, np.array(places)))
    return out
