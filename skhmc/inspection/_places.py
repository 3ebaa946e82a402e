"""Where a name finds room beside its point: rectangles and lines, in numpy alone.

Rectangles are rows (left, bottom, right, top), all lengths are in pixels.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ["Drawn", "Place", "find_place", "meet"]

# Directions in which a name is tried, in turns of 1/16, the best first: right, left,
# above, below, then the corners, then what lies between.
TURNS = np.array([0, 8, 4, 12, 2, 14, 6, 10, 1, 15, 7, 9, 3, 13, 5, 11])
BESIDE = (5.0, 9.0)  # distances of a name that stands beside its point, in points
APART = (18.0, 30.0, 44.0, 60.0)  # of one that a line joins to its point
POINT = 4.0  # radius of a point with its rim, in points
GAP = 1.5  # between a name and a line, in points
OTHERS = 12.0  # least distance of other points from a name that stands apart, in points


class Drawn(NamedTuple):
    """What is drawn already, from which names keep away.

    Parameters
    ----------
    frame : ndarray of shape (4,)
        The rectangle that names may not leave.
    points : ndarray of shape (n_points, 2)
    lines : ndarray of shape (n_lines, 2, 2)
        Straight pieces, from their first end to their second.
    boxes : ndarray of shape (n_boxes, 4)
        What is written.
    """

    frame: np.ndarray
    points: np.ndarray
    lines: np.ndarray
    boxes: np.ndarray

    def add(self, place: Place) -> Drawn:
        """Return what is drawn once a name stands in its place."""
        lines = self.lines if place.line is None else [*self.lines, place.line]
        return self._replace(
            lines=np.reshape(lines, (-1, 2, 2)),
            boxes=np.vstack([self.boxes, place.box]),
        )


class Place(NamedTuple):
    """Where a name stands.

    Parameters
    ----------
    offset : ndarray of shape (2,)
        From the point to the middle of the name.
    box : ndarray of shape (4,)
        The name.
    line : ndarray of shape (2, 2) or None
        From the point to the name, where the name stands too far off to be beside it.
    """

    offset: np.ndarray
    box: np.ndarray
    line: np.ndarray | None


def meet(boxes: np.ndarray, lines: np.ndarray) -> np.ndarray:
    """Tell of every rectangle and every line whether they have a point in common.

    They have none where their shadows on an axis are apart, or where all corners lie on
    one side of the line. A point is a line whose two ends are the same.

    Parameters
    ----------
    boxes : ndarray of shape (n_boxes, 4)
    lines : ndarray of shape (n_lines, 2, 2)

    Returns
    -------
    ndarray of shape (n_boxes, n_lines), bool
    """
    half = (boxes[:, None, 2:] - boxes[:, None, :2]) / 2
    middle = lines.mean(axis=1) - (boxes[:, None, :2] + half)
    along = lines[:, 1] - lines[:, 0]
    shadows = np.all(np.abs(middle) <= half + np.abs(along) / 2, axis=2)
    across = middle[..., 0] * along[:, 1] - middle[..., 1] * along[:, 0]
    sides = np.abs(across) <= np.sum(half * np.abs(along[:, ::-1]), axis=2)
    return shadows & sides


def _grow(boxes: np.ndarray, by: float) -> np.ndarray:
    return boxes + by * np.array([-1, -1, 1, 1])


def _overlap(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Tell of every rectangle of a and of b whether they overlap."""
    apart = (a[:, None, 2:] <= b[:, :2]) | (b[:, 2:] <= a[:, None, :2])
    return ~np.any(apart, axis=2)


def find_place(
    point: np.ndarray, size: np.ndarray, drawn: Drawn, unit: float
) -> Place | None:
    """Return the first place for a name that is free of all that is drawn.

    Parameters
    ----------
    point : ndarray of shape (2,)
        The point that is named.
    size : ndarray of shape (2,)
        Width and height of the name.
    drawn : Drawn
        What is there already; ``point`` is one of its points.
    unit : float
        Pixels of a typographic point.

    Returns
    -------
    Place or None
        None where there is no room.
    """
    side = np.column_stack([np.cos(TURNS * np.pi / 8), np.sin(TURNS * np.pi / 8)])
    side /= np.abs(side).max(axis=1, keepdims=True)  # from the circle onto the square
    reach = size + (APART[-1] + GAP) * unit
    around = np.hstack([point - reach, point + reach])
    near = drawn.lines[meet(around[None], drawn.lines)[0]]
    drawn = drawn._replace(lines=near)
    for distance in BESIDE + APART:
        middle = point + side * (size / 2 + distance * unit)
        boxes = np.hstack([middle - size / 2, middle + size / 2])
        boxes = boxes[_is_free(boxes, drawn, GAP * unit)]
        is_apart = distance in APART
        lines = [_lead(point, box) if is_apart else None for box in boxes]
        for box, line in zip(boxes, lines, strict=True):
            if _is_clear(box, line, point, drawn, distance, unit):
                return Place((box[:2] + box[2:]) / 2 - point, box, line)
    return None


def _is_free(boxes: np.ndarray, drawn: Drawn, gap: float) -> np.ndarray:
    """Tell which rectangles lie inside, and off all lines and all that is written."""
    inside = (boxes[:, :2] >= drawn.frame[:2]) & (boxes[:, 2:] <= drawn.frame[2:])
    free: np.ndarray = np.all(inside, axis=1)
    boxes = _grow(boxes, gap)
    free[free] = ~_overlap(boxes[free], drawn.boxes).any(axis=1)
    free[free] = ~meet(boxes[free], drawn.lines).any(axis=1)
    return free


def _lead(point: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Return the line from a point to the nearest one of a rectangle."""
    return np.stack([point, point.clip(box[:2], box[2:])])


def _is_clear(
    box: np.ndarray,
    line: np.ndarray | None,
    point: np.ndarray,
    drawn: Drawn,
    distance: float,
    unit: float,
) -> bool:
    """Tell whether nobody can take the name for that of another point."""
    others = drawn.points[(drawn.points != point).any(axis=1)]
    near = distance if line is None else OTHERS
    if meet(_grow(box[None], near * unit), np.stack([others, others], axis=1)).any():
        return False
    if line is None:
        return True
    in_the_way = np.vstack([drawn.boxes, np.hstack([others, others])])
    return not meet(_grow(in_the_way, POINT * unit), line[None]).any()
