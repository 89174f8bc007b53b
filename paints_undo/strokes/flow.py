"""Strokes that follow the picture's own directions over whatever there is still to paint."""

from __future__ import annotations

import cv2
import numpy as np

SLANT = -0.5  # radians: a hand's own direction, where the picture leads nowhere
ASPECT = 5.0  # length of a stroke over its width


def direction(light: np.ndarray, sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """Cosine and sine, float32 (h, w), of the way along edges: the smoothed structure tensor (Kang, Lee, Chui 2007)."""
    gx, gy = cv2.Sobel(light, cv2.CV_32F, 1, 0), cv2.Sobel(light, cv2.CV_32F, 0, 1)
    xx, xy, yy = (cv2.GaussianBlur(product, (0, 0), sigma) for product in (gx * gx, gx * gy, gy * gy))
    hand = 0.5 + 0.02 * float(np.percentile(xx + yy, 90))
    nx, ny = -np.sin(SLANT), np.cos(SLANT)
    xx, xy, yy = xx + hand * nx * nx, xy + hand * nx * ny, yy + hand * ny * ny
    angle = 0.5 * np.arctan2(2 * xy, xx - yy) + np.pi / 2
    return np.cos(angle), np.sin(angle)


class FlowPainter:
    """Covers marked pixels with strokes, one after another, and labels what each covers."""

    def __init__(
        self,
        wanted: np.ndarray,
        flow: tuple[np.ndarray, np.ndarray],
        least: int,
        masses: np.ndarray | None = None,
        alike: float = 0,
    ):
        """wanted: uint8 (h, w), 1 where there is something to paint. least: pixels that a stroke must cover.

        masses: Lab (h, w, 3); a stroke stays where they are as it starts, up to the distance `alike`.
        """
        self.masses, self.alike = masses, alike
        self.left = wanted.copy()
        self.labels = np.zeros(wanted.shape, np.int32)
        self.count, self.least = 0, least
        self._cos, self._sin = flow
        self._area = int(wanted.sum())

    def _way(self, x: float, y: float, radius: float) -> list[tuple[float, float]]:
        """A path through (x, y), both ways along the flow, as far as there is something to paint."""
        height, width = self.left.shape
        step, reach = max(1.0, 0.6 * radius), ASPECT * radius
        halves = []
        for sign in (1.0, -1.0):
            px, py, travelled, misses = x, y, 0.0, 0
            dx, dy = sign * float(self._cos[int(y), int(x)]), sign * float(self._sin[int(y), int(x)])
            half = []
            while travelled < reach:
                px, py, travelled = px + dx * step, py + dy * step, travelled + step
                ix, iy = int(px), int(py)
                if not (0 <= px < width and 0 <= py < height):
                    break
                misses = 0 if self.left[iy, ix] else misses + 1
                if misses > 1:
                    break
                half.append((px, py))
                vx, vy = float(self._cos[iy, ix]), float(self._sin[iy, ix])
                if vx * dx + vy * dy < 0:
                    vx, vy = -vx, -vy
                dx, dy = 0.45 * dx + 0.55 * vx, 0.45 * dy + 0.55 * vy
                norm = max(1e-6, (dx * dx + dy * dy) ** 0.5)
                dx, dy = dx / norm, dy / norm
            halves.append(half)
        return halves[1][::-1] + [(x, y)] + halves[0]

    def stroke(self, x: int, y: int, strokes_left: int, patch: np.ndarray) -> bool:
        """Lay one stroke through a pixel, inside its patch; False where too little would be covered.

        Its width is a feedback of the area that is left over the strokes that are left.
        """
        radius = float(np.clip(np.sqrt(self._area / max(1, strokes_left) / (4 * ASPECT)) * 1.1, 1.0, 40.0))
        return self.dab(x, y, radius, patch)

    def dab(self, x: int, y: int, radius: float, patch: np.ndarray) -> bool:
        """Lay one stroke of a half width through a pixel, inside its patch; False where too little would be covered."""
        way = np.array(self._way(x + 0.5, y + 0.5, radius))
        low = np.maximum((way.min(0) - radius - 2).astype(int), 0)
        high = np.minimum((way.max(0) + radius + 3).astype(int), self.left.shape[::-1])
        box = (slice(low[1], high[1]), slice(low[0], high[0]))
        reached = np.zeros((high[1] - low[1], high[0] - low[0]), np.uint8)
        path = np.round((way - low - 0.5) * 16).astype(np.int32)
        cv2.polylines(reached, [path], False, 1, max(1, round(2 * radius)), cv2.LINE_8, 4)
        fresh = (reached & self.left[box]).astype(bool) & (patch[box] == patch[y, x])
        if self.masses is not None:
            fresh &= np.linalg.norm(self.masses[box] - self.masses[y, x], axis=2) < self.alike
        found, pieces = cv2.connectedComponents(cv2.dilate(fresh.astype(np.uint8), np.ones((3, 3), np.uint8)))
        if found > 2:  # the stroke is what hangs together with where it starts
            fresh &= pieces == pieces[y - low[1], x - low[0]]
        covered = int(fresh.sum())
        if covered < self.least:
            return False
        self.count += 1
        self.labels[box][fresh] = self.count
        self.left[box][fresh] = 0
        self._area -= covered
        return True

    def skip(self, x: int, y: int) -> None:
        """Give up a place where no stroke has enough to do."""
        reach = 2
        box = (slice(max(0, y - reach), y + reach + 1), slice(max(0, x - reach), x + reach + 1))
        self._area -= int(self.left[box].sum())
        self.left[box] = 0

    def paint(self, patch: np.ndarray, order: list[int], budget: int, rng: np.random.Generator) -> None:
        """Cover patch after patch, each from stroke to nearest stroke, with about `budget` strokes in all.

        patch: int (h, w), labels of the places that are worked on one at a time.
        """
        start = self.count
        at = np.array([0.0, 0.0])
        for label in order:
            ys, xs = np.nonzero((patch == label) & (self.left > 0))
            points = np.stack([xs, ys], 1)
            while len(points) and self.count - start < budget:
                far = np.abs(points - at).sum(1) * rng.uniform(0.8, 1.25, len(points))
                x, y = points[int(far.argmin())]
                if self.stroke(int(x), int(y), budget - (self.count - start), patch):
                    at = np.array([x, y], float)
                else:
                    self.skip(int(x), int(y))
                points = points[self.left[points[:, 1], points[:, 0]] > 0]
