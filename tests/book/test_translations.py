"""Catalogues of the lessons: complete where they are said to be, renewed without loss."""

import re

import pytest
from babel.messages.catalog import Catalog

from book import translations
from tinyml_helpers.course import syllabus

LINK = re.compile(r"\]\(([^)]+)\)")
CODE = re.compile(r"`[^`]+`")
# Proofs that a translation works: these stay whole.
WHOLE = [("de", "00_start_here"), ("es", "00_start_here")]


@pytest.fixture(scope="module")
def templates():
    """The sentences of the lessons as they stand today."""
    names = {lesson for _, lesson in WHOLE}
    return translations.extract([it.number for it in syllabus.lessons() if it.name in names])


@pytest.fixture(params=WHOLE, ids="-".join)
def proof(request):
    language, lesson = request.param
    return translations.read(translations.path_of(language, lesson), language), lesson


def test_the_proofs_are_all_that_there_is():
    assert translations.languages() == sorted({language for language, _ in WHOLE})


def test_each_sentence_of_the_lesson_is_translated(proof, templates):
    catalogue, lesson = proof
    found = translations.progress(str(catalogue.locale), lesson, catalogue, templates[lesson])
    # What changed in the lesson is named here: translate it, after `make translations`.
    assert found.left == ()
    assert found.translated > 100


def test_links_and_code_are_those_of_the_original(proof):
    for message in proof[0]:
        if message.id:
            assert LINK.findall(message.string) == LINK.findall(message.id), message.id
            assert sorted(CODE.findall(message.string)) == sorted(CODE.findall(message.id)), message.id


def test_numbers_are_those_of_the_original(proof):
    def digits(text):
        # Ten thousand is 10,000, 10.000 or 10 000; a word such as "eine" may stand for a 1.
        bare = LINK.sub("", CODE.sub("", text))
        return sorted(
            re.sub(r"[.,\s\u202f]", "", n) for n in re.findall(r"\d+(?:[.,\u202f ]\d+)*", bare)
        )

    for message in proof[0]:
        if message.id and "believe your machine" not in message.id:
            assert digits(message.string) == digits(message.id), message.id


def catalogue(**sentences):
    made = Catalog(locale="de", fuzzy=False)
    for source, target in sentences.items():
        made.add(source.replace("_", " "), target)
    return made


def test_renewing_keeps_what_is_the_same_and_marks_what_changed():
    old = catalogue(The_chip_answers_fast="Der Chip antwortet schnell", A_byte="Ein Byte")
    new = catalogue(The_chip_answers_very_fast="", A_byte="", Something_else_entirely="")
    renewed = translations.renew(old, new)
    assert renewed["A byte"].string == "Ein Byte" and not renewed["A byte"].fuzzy
    changed = renewed["The chip answers very fast"]
    assert changed.fuzzy and changed.string == "Der Chip antwortet schnell"
    found = translations.progress("de", "00", renewed, new)
    assert found.translated == 1
    assert found.left == ("The chip answers very fast", "Something else entirely")
    assert "1 of 3 translated" in str(found) and "left: Something else" in str(found)


def test_a_catalogue_is_read_back_as_it_was_written(tmp_path):
    path = translations.path_of("de", "00", tmp_path)
    path.parent.mkdir(parents=True)
    path.write_bytes(translations.as_text(catalogue(A_byte="Ein „Byte“ – 2²⁴")))
    assert translations.read(path, "de")["A byte"].string == "Ein „Byte“ – 2²⁴"
    assert translations.languages(tmp_path) == ["de"]


@pytest.mark.parametrize("wrong", ["", "deutsch", "xx", "../de", "d"])
def test_what_is_no_language_is_refused(wrong, tmp_path):
    with pytest.raises(ValueError, match="give a code such as de"):
        next(translations.update(wrong, [0], tmp_path))
    assert not list(tmp_path.iterdir())


def test_a_language_without_a_catalogue_asks_for_a_lesson(tmp_path):
    (tmp_path / "fr").mkdir()
    with pytest.raises(ValueError, match="name a lesson"):
        next(translations.update("fr", [], tmp_path))
