"""What the course's pages do: the names that a command, a book and a test know them by."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """A page by its name, and what it invites to."""

    invitation: str

    drawing = "drawing", "Draw a garment, and a classifier names it"
    keywords = "keywords", "Say a word, and a keyword spotter hears it"
    gestures = "gestures", "Move your wrist, or scrub through a recording of somebody else's"
    vibration = "vibration", "Let it learn how a machine sounds, and it tells when that changes"
    detector = "detector", "Show a scene, and a detector draws its boxes"

    def __new__(cls, name: str, invitation: str) -> Kind:
        """Make a kind, known by its name alone."""
        kind = str.__new__(cls, name)
        kind._value_ = name
        kind.invitation = invitation
        return kind
