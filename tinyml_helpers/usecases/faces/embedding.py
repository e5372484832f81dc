"""Faces in photos: find them, straighten them, and turn each into numbers that can be compared."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyml_helpers.datasets import manifest, read_verified
from tinyml_helpers.deploy import litert
from tinyml_helpers.deploy.tflite.interpreter import Model
from tinyml_helpers.usecases.faces.lbp import describe_patterns
from tinyml_helpers.usecases.vision import boxes, letterbox

EMBEDDERS = {"accurate": 224, "small": 112, "patterns": 112}
"""What turns a face into numbers (two networks, and counting by hand, which takes no training), and the
side of the aligned face that it takes, in pixels."""

LEAST_SIDE = 32  # pixels: a narrower face is found but not compared

# Where eyes, nose and mouth lie in an aligned face of side 1. Source: ArcFace's five points, which
# much of face recognition shares, with the corners of the mouth averaged; arXiv 1801.07698.
PLACES = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [56.1396, 92.2848]]) / 112
_SIDE = 128  # of the detector's input
_PROPOSED = 0.4  # score at the first look
_SECOND_LOOK = 2.0  # times the face's side; chosen on photos that do not ship


class FaceError(ValueError):
    """There is not exactly one face that can be compared; the message says what to do."""


@dataclass(frozen=True, repr=False, eq=False)
class Face:
    """A face: `box` float32 [4] x1, y1, x2, y2, `landmarks` float32 [6, 2], `score` 0 to 1.

    The landmarks are right eye, left eye, nose, mouth, right ear and left ear of the person: the right
    eye is left in the photo.
    """

    box: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    score: float

    @property
    def side(self) -> float:
        """The width of its box in pixels."""
        return float(self.box[2] - self.box[0])

    def __repr__(self) -> str:
        x, y = self.box[:2]
        return f"face {self.side:.0f} pixels wide at ({x:.0f}, {y:.0f}), score {self.score:.2f}"


@cache
def network(name: str) -> Model:
    """Load a network of data/models by its name without ending, once; DataError if it is not there."""
    return litert.load(read_verified(f"models/{name}.tflite"))


@cache
def anchors() -> NDArray[np.float32]:
    """Return the 896 anchors of the detector: [896, 4] cx, cy, 1, 1 as shares of its input.

    Source: Bazarevsky et al., BlazeFace, arXiv 1907.05047; MediaPipe's short-range settings.
    """
    return boxes.grid_anchors([(16, [(1, 1)] * 2), (8, [(1, 1)] * 6)])


def run_detector(image: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Run the detector once on its own square: what it says at each of its anchors.

    Args:
        image: uint8 RGB [128, 128, 3].

    Returns:
        Scores float32 [896] from 0 to 1; points float32 [896, 8, 2] in pixels: two corners of a box,
        then the landmarks.
    """
    values = image[None].astype(np.float32) / 127.5 - 1
    numbers, marks = (output[0] for output in network("face_detector").predict_all(values))
    corners = boxes.decode(numbers[:, :4], anchors(), [_SIDE] * 4, order="xywh", exponential=False)
    points = numbers[:, 4:].reshape(-1, 6, 2) / _SIDE + anchors()[:, None, :2]
    scores = 1 / (1 + np.exp(-np.clip(marks[:, 0], -80, 80)))
    every = np.concatenate([corners.reshape(-1, 2, 2), points], 1) * _SIDE
    return scores.astype(np.float32), every.astype(np.float32)


def detect(photo: NDArray[np.uint8], least: float = 0.7) -> tuple[Face, ...]:
    """Find the faces in a photo, the surest first.

    The detector sees the whole photo at 128 x 128 pixels, and then each face by itself, upright and
    large: that places the landmarks better.

    Args:
        photo: uint8 RGB [H, W, 3].
        least: score that a face must have, 0 to 1, at the second look. At the first a lower one will do:
            it only proposes.

    Raises:
        ValueError: `least` outside of 0 to 1.
    """
    if not 0 < least < 1:
        raise ValueError(f"least = {least}: give a score between 0 and 1, such as 0.7")
    fitted = letterbox.letterbox(photo, _SIDE)
    scores, points = run_detector(fitted.image)
    found = np.flatnonzero(scores >= min(least, _PROPOSED))
    kept = found[boxes.nms(points[found, :2].reshape(-1, 4), scores[found], 0.3)]
    faces = [_look_again(photo, fitted.to_photo(points[i])) for i in kept]
    # Two boxes of the first look may turn out to be one face.
    best = boxes.nms([face.box for face in faces], [face.score for face in faces], 0.3)
    return tuple(faces[i] for i in best if faces[i].score >= least)


def _look_again(photo: NDArray[np.uint8], points: NDArray[np.float32]) -> Face:
    """Turn a face upright, fill the detector's square with it, and take its word there."""
    centre = points[:2].mean(0)
    across = points[3] - points[2]
    side = max(float(np.abs(points[1] - points[0]).max()), 1.0)
    turned = _similarity(across, _SIDE / (side * _SECOND_LOOK))
    matrix = np.column_stack([turned, np.full(2, _SIDE / 2) - turned @ centre])
    scores, seen = run_detector(letterbox.warp(photo, matrix, _SIDE))
    best = int(scores.argmax())
    back = (seen[best] - matrix[:, 2]) @ np.linalg.inv(turned).T
    middle, half = back[:2].mean(0), np.ptp(seen[best, :2, 0]) * side * _SECOND_LOOK / _SIDE / 2
    box = np.concatenate([middle - half, middle + half])
    return Face(box.astype(np.float32), back[2:].astype(np.float32), float(scores[best]))


def _similarity(across: NDArray[np.float32], scale: float) -> NDArray[np.float64]:
    """The matrix [2, 2] that turns the line from eye to eye level, and scales."""
    angle = -np.arctan2(across[1], across[0])
    return scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def only_face(photo: NDArray[np.uint8]) -> Face:
    """Return the face of a photo that has exactly one.

    Raises:
        FaceError: none, several, or one that is too small.
    """
    found = detect(photo)
    if not found:
        raise FaceError(
            "no face found: it must look towards the camera, upright, and fill a tenth of the photo"
        )
    if len(found) > 1:
        raise FaceError(f"{len(found)} faces found: crop the photo to one of them\n{found}")
    if found[0].side < LEAST_SIDE:
        raise FaceError(f"the {found[0]}: {LEAST_SIDE} pixels are the least, so come closer")
    return found[0]


def alignment(landmarks: ArrayLike, size: int) -> NDArray[np.float64]:
    """Return the matrix [2, 3] that brings eyes, nose and mouth to their places, as well as it can.

    It turns, scales and shifts, and keeps every angle: the least squares over all such matrices.

    Args:
        landmarks: [6, 2] in pixels; the ears are not used.
        size: side of the aligned face in pixels.

    Source: Umeyama, IEEE TPAMI 13 (1991), 376; in two dimensions complex numbers make it short.
    """
    here = np.asarray(landmarks, np.float64)[: len(PLACES)] @ [1, 1j]
    there = size * PLACES @ [1, 1j]
    a, b = here - here.mean(), there - there.mean()
    turn = (a.conj() @ b) / (a.conj() @ a).real
    shift = there.mean() - turn * here.mean()
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def align(photo: NDArray[np.uint8], face: Face, size: int = 224) -> NDArray[np.uint8]:
    """Cut a face out so that its eyes, nose and mouth lie where they lie in every aligned face.

    Args:
        photo: uint8 RGB [H, W, 3].
        face: as `detect` found it in this photo.
        size: side of the result in pixels.

    Returns:
        uint8 RGB [size, size, 3].
    """
    return letterbox.warp(photo, alignment(face.landmarks, size), size)


def embed(aligned: NDArray[np.uint8], embedder: str = "accurate") -> NDArray[np.float32]:
    """Turn an aligned face into a vector of length 1: float32 [1024], [256] or [2891].

    Args:
        aligned: uint8 RGB [S, S, 3], S as `EMBEDDERS` says.
        embedder: "accurate", "small" or "patterns".

    Raises:
        ValueError: unknown embedder, or a face of another size.
    """
    size = input_side(embedder)
    if aligned.shape != (size, size, 3):
        raise ValueError(
            f"{embedder!r} takes [{size}, {size}, 3], not {list(aligned.shape)}: align the face first"
        )
    if embedder == "patterns":
        return describe_patterns(aligned)
    vector = network(f"face_{embedder}").predict(aligned[None])
    unit: NDArray[np.float32] = vector[0] / np.linalg.norm(vector)
    return unit


def embed_photo(photo: NDArray[np.uint8], embedder: str = "accurate") -> NDArray[np.float32]:
    """Find the one face of a photo, align it and embed it: `only_face`, `align`, `embed`.

    Raises:
        FaceError: no face, several faces, or one that is too small.
        ValueError: unknown embedder.
    """
    size = input_side(embedder)
    return embed(align(photo, only_face(photo), size), embedder)


def list_embedders() -> tuple[str, ...]:
    """Return the embedders that work here, the best first: a network only where its file is shipped."""
    shipped = manifest()
    return tuple(n for n in EMBEDDERS if n == "patterns" or f"models/face_{n}.tflite" in shipped)


def input_side(embedder: str) -> int:
    """Return the side of the aligned face that an embedder takes, in pixels.

    Raises:
        ValueError: unknown embedder.
    """
    if embedder not in EMBEDDERS:
        raise ValueError(f"unknown embedder {embedder!r}: choose one of {', '.join(EMBEDDERS)}")
    return EMBEDDERS[embedder]
