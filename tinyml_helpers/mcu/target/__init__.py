"""The processor: compiler, emulated core, counts and cycles."""
