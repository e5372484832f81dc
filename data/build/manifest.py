"""Rewrite data/manifest.json: size and SHA-256 of every file below data/ that is read.

python data/build/manifest.py
"""

from tinyml_helpers.datasets import manifest, write_manifest


def main() -> None:
    """List them, and say how many there are."""
    write_manifest()
    sizes = [int(entry["bytes"]) for entry in manifest().values()]
    print(f"manifest.json: {len(sizes)} files, {sum(sizes):,} bytes")


if __name__ == "__main__":
    main()
