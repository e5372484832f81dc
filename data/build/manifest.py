"""Rewrite data/manifest.json: size and SHA-256 of every data file and model.

python data/build/manifest.py
"""

import hashlib
import json
from pathlib import Path

SUFFIXES = {".npz", ".safetensors", ".tflite", ".onnx"}


def main() -> None:
    """List every file below data/ whose name ends like data."""
    folder = Path(__file__).parents[1]
    files: dict[str, dict[str, str | int]] = {
        path.relative_to(folder).as_posix(): {
            "bytes": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        for path in sorted(folder.rglob("*"))
        if path.suffix in SUFFIXES
    }
    text = json.dumps({"files": files}, indent=2) + "\n"
    (folder / "manifest.json").write_text(text, "utf-8")
    print(f"manifest.json: {len(files)} files, {sum(int(f['bytes']) for f in files.values()):,} bytes")


if __name__ == "__main__":
    main()
