"""What a run tells: figures, comparisons, disassembly."""
