"""What the keyword corpus says, and how often each engine says it before the filter."""

from tinyml_helpers.datasets.keywords.clips import COMMANDS, DIGITS, OTHER_WORDS, WAKE_WORDS

# What Speech Commands has beside commands and digits.
UNKNOWN = ("backward", "bed", "bird", "cat", "dog", "follow", "forward", "happy", "house", "learn",
           "marvin", "sheila", "tree", "visual", "wow")  # fmt: skip
# Engine -> clips of each command, digit, unknown word, other word and wake word.
COUNTS = {
    "espeak": (190, 50, 30, 16, 6),
    "kokoro": (110, 28, 18, 8, 10),
    "joe": (50, 24, 14, 8, 6),
    "flite": (50, 20, 10, 5, 5),
    "festival": (24, 12, 6, 3, 3),
    "pico": (24, 12, 8, 0, 0),
}


def counts(engine: str) -> dict[str, int]:
    """Return how many clips of each word an engine speaks."""
    groups = zip((COMMANDS, DIGITS, UNKNOWN, OTHER_WORDS, WAKE_WORDS), COUNTS[engine], strict=True)
    return {word: count for words, count in groups for word in words}
