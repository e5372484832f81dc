"""Take the shuttle sensor set out of the wheel of `river`, as integers.

    pip download --no-deps river==0.26.1
    python data/build/shuttle.py river-0.26.1-*.whl

The set is UCI's Statlog (Shuttle), CC BY 4.0, cut to two classes by the ODDS collection: 49,097 rows of
nine readings, 3,511 of them of the rare classes. River ships it under its own BSD-3 licence, which is
copied too. Run data/build/manifest.py afterwards.
"""

import gzip
import sys
import zipfile
from pathlib import Path

import numpy as np

from tinyml_helpers.datasets import data_folder


def main(wheel: Path) -> None:
    """Write data/shuttle.npz and its licence."""
    with zipfile.ZipFile(wheel) as whole:
        text = gzip.decompress(whole.read("river/datasets/shuttle.csv.gz")).decode()
        licence = next(name for name in whole.namelist() if name.endswith("/LICENSE"))
        (data_folder() / "LICENSES" / "river.txt").write_bytes(whole.read(licence))
    table = np.loadtxt(text.splitlines(), delimiter=",", skiprows=1, dtype=np.int64)
    values = table[:, :9].astype(np.int16)
    if (values != table[:, :9]).any():
        raise SystemExit("a reading does not fit 16 bits: the source has changed")
    path = data_folder() / "shuttle.npz"
    np.savez_compressed(path, values=values, anomaly=table[:, 9].astype(bool))
    counted = f"{len(table):,} rows, {int(table[:, 9].sum()):,} anomalies"
    print(f"{path.name}: {counted}, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
