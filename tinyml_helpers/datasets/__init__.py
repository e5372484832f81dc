"""The data of the course: what ships with it, and what it can fetch or read at your wish."""

from tinyml_helpers.datasets.fashion import (
    FASHION_CLASSES,
    Fashion,
    ImageSet,
    decode_idx,
    load_fashion,
)
from tinyml_helpers.datasets.shipped import (
    DataError,
    cache_folder,
    data_folder,
    manifest,
    read_verified,
)

__all__ = [
    "FASHION_CLASSES",
    "DataError",
    "Fashion",
    "ImageSet",
    "cache_folder",
    "data_folder",
    "decode_idx",
    "load_fashion",
    "manifest",
    "read_verified",
]
