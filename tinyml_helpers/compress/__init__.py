"""Compression: quantization, pruning and distillation."""
