"""The bank in GIFT, the text that Moodle imports."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from tinyml_helpers.classroom.workshop.quiz import bank
from tinyml_helpers.classroom.workshop.quiz.bank import Choice, Question
from tinyml_helpers.course.syllabus import Lesson

_RESERVED = str.maketrans({sign: f"\\{sign}" for sign in "\\~=#{}:"})
# Moodle takes these shares of a mark and no others, to the digit.
_SHARES = {1: "100", 2: "50", 3: "33.33333", 4: "25", 5: "20"}


def write_gift(lessons: Sequence[Lesson]) -> str:
    """Return the questions of some lessons, a category for each lesson.

    Source: `question/format/gift/format.php` of Moodle, which reads it.
    """
    blocks: list[str] = []
    for lesson in lessons:
        if questions := bank.read_questions(lesson.number):
            # A slash would open another category below this one.
            title = f"{lesson.number:02d} {lesson.title}".replace("/", "//")
            blocks += [f"$CATEGORY: TinyML/{title}", *map(_question, questions)]
    return "\n\n".join(blocks) + "\n"


def _question(question: Question) -> str:
    """Return one question; a blank line would end it, so there is none inside."""
    general = f"####{_rich(question.explain(question.why))}" if question.why else ""
    lines = [*_ANSWERS[question.kind](question), *([general] if general else [])]
    opening = f"::{_plain(question.title)}::[html]{_rich(question.text)}"
    if question.kind == "truth":
        return f"{opening}{{{''.join(lines)}}}"
    begin = "{#" if question.kind == "number" else "{"
    return "\n".join([opening + begin, *(f"\t{line}" for line in lines), "}"])


def _one(question: Question) -> list[str]:
    return [f"{'=' if it.right else '~'}{_rich(it.text)}{_why(question, it)}" for it in question.answers]


def _several(question: Question) -> list[str]:
    """Return answers that add up to a whole mark, and to none where everything is ticked."""
    right = sum(one.right for one in question.answers)
    gain, loss = _SHARES[right], _SHARES[len(question.answers) - right]
    return [
        f"~%{gain if one.right else f'-{loss}'}%{_rich(one.text)}{_why(question, one)}"
        for one in question.answers
    ]


def _truth(question: Question) -> list[str]:
    """Return the truth, what to say to who misses it, and what to say to who does not."""
    wrong, right = sorted(question.answers, key=lambda one: one.right)
    return [right.text.upper(), _why(question, wrong), _why(question, right)]


def _number(question: Question) -> list[str]:
    return [
        f"=%{100 if one.right else 0}%{one.text}:{one.tolerance:g}{_why(question, one)}"
        for one in question.answers
    ]


def _match(question: Question) -> list[str]:
    """Return pairs; Moodle shows the right side as it is, without markup."""
    return [f"={_rich(it.text)} -> {_plain(it.partner.replace('`', ''))}" for it in question.answers]


_ANSWERS = {"one": _one, "several": _several, "truth": _truth, "number": _number, "match": _match}


def _why(question: Question, answer: Choice) -> str:
    return f"#{_rich(question.explain(answer.why))}"


def _rich(text: str) -> str:
    """Return a text as HTML, with what is code set as code."""
    return _plain(re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False)))


def _plain(text: str) -> str:
    return text.translate(_RESERVED)
