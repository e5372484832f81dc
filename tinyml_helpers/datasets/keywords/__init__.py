"""Spoken words: a corpus that ships, public ones, and your own recordings."""
