"""The data of the course: what ships with it, and what it can fetch or read at your wish."""

from tinyml_helpers.datasets.gestures.load import load_gestures
from tinyml_helpers.datasets.gestures.recordings import Gestures, Recording
from tinyml_helpers.datasets.images.fashion_mnist import (
    FASHION_CLASSES,
    Fashion,
    ImageSet,
    decode_idx,
    load_fashion,
)
from tinyml_helpers.datasets.images.photos import load_photos
from tinyml_helpers.datasets.keywords.clips import KEYWORD_CLASSES, Keywords
from tinyml_helpers.datasets.keywords.load import load_keywords
from tinyml_helpers.datasets.sound_files import Sound, read_sound
from tinyml_helpers.datasets.vibration.cwru import load_cwru
from tinyml_helpers.datasets.vibration.load import Vibration, load_vibration
from tinyml_helpers.datasets.vibration.shuttle import Shuttle, load_shuttle
from tinyml_helpers.system.shipped_files import (
    DataError,
    cache_folder,
    data_folder,
    manifest,
    read_file,
    read_json,
    read_verified,
    write_manifest,
)

__all__ = [
    "FASHION_CLASSES",
    "KEYWORD_CLASSES",
    "DataError",
    "Fashion",
    "Gestures",
    "ImageSet",
    "Keywords",
    "Recording",
    "Shuttle",
    "Sound",
    "Vibration",
    "cache_folder",
    "data_folder",
    "decode_idx",
    "load_cwru",
    "load_fashion",
    "load_gestures",
    "load_keywords",
    "load_photos",
    "load_shuttle",
    "load_vibration",
    "manifest",
    "read_file",
    "read_json",
    "read_sound",
    "read_verified",
    "write_manifest",
]
