"""Drawings that lessons open with: `flow` and `spine` for all, and one module a lesson."""
