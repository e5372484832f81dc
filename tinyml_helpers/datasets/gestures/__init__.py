"""Movements of a wrist: recordings that ship, and your own."""
