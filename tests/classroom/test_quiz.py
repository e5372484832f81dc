"""The question bank: each question is proved by its lesson, and both files read back as asked."""

import html
import io
import json
import re
import tomllib
import zipfile
from collections import Counter
from xml.etree import ElementTree as ET

import pytest

from tinyml_helpers.classroom.workshop import kit
from tinyml_helpers.classroom.workshop.quiz import bank, gift, qti
from tinyml_helpers.course import scoreboard, syllabus

LESSONS = syllabus.lessons()
ALL = [question for lesson in LESSONS for question in bank.read_questions(lesson.number)]
KEYS = [question.key for question in ALL]


def entry_of(question):
    """A question as its file has it, with what proves it."""
    path = bank._FOLDER / f"{question.lesson:02d}.toml"
    return tomllib.loads(path.read_text("utf-8"))["question"][question.place - 1]


def bare(text):
    """Words without marks, quotes and line ends."""
    return " ".join(re.sub(r"[*`]", "", text.replace("“", '"').replace("”", '"')).split())


def words_of(lesson):
    """What a lesson says: its text, and what its cells printed."""
    said = []
    for cell in syllabus.read_notebook(lesson.path).cells:
        said.append(cell.source if cell.cell_type == "markdown" else "")
        for output in cell.get("outputs", []):
            said += [output.get("text", ""), output.get("data", {}).get("text/plain", "")]
    return bare("\n".join(said))


WORDS = {lesson.number: words_of(lesson) for lesson in LESSONS}


def headings_of(lesson):
    text = "\n".join(
        c.source for c in syllabus.read_notebook(lesson.path).cells if c.cell_type == "markdown"
    )
    return {bare(found) for found in re.findall(r"^## (.+)$", text, re.MULTILINE)}


HEADINGS = {lesson.number: headings_of(lesson) for lesson in LESSONS}


# What is asked


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_every_lesson_has_five_questions_of_three_kinds_or_more(lesson):
    found = bank.read_questions(lesson.number)
    assert len(found) == 5
    assert len({question.kind for question in found}) >= 3
    assert len({question.name for question in found}) == 5


def test_the_bank_mixes_kinds():
    kinds = Counter(question.kind for question in ALL)
    assert len(ALL) == 80
    assert kinds["one"] <= 40
    assert all(kinds[kind] >= 8 for kind in ("several", "truth", "number", "match"))
    # Whoever always ticks "false", or the longest answer, learns nothing and gets little.
    truths = [question.answers[0].right for question in ALL if question.kind == "truth"]
    assert 0.3 <= sum(truths) / len(truths) <= 0.7
    chosen = [question.answers for question in ALL if question.kind == "one"]
    longest = [max(answers, key=lambda one: len(one.text)).right for answers in chosen]
    assert 0.1 <= sum(longest) / len(longest) <= 0.4
    first = Counter(next(i for i, one in enumerate(answers) if one.right) for answers in chosen)
    assert max(first.values()) <= 0.45 * len(chosen)


@pytest.mark.parametrize("question", ALL, ids=KEYS)
def test_a_question_has_the_right_answers_of_its_kind_and_a_reason_for_each(question):
    right = [one for one in question.answers if one.right]
    counts = {"one": (4, 1), "truth": (2, 1), "match": (len(question.answers), len(question.answers))}
    if question.kind in counts:
        assert (len(question.answers), len(right)) == counts[question.kind]
    elif question.kind == "several":
        assert 2 <= len(right) < len(question.answers) >= 4
    else:
        assert len(right) == 1
        wrong = [one for one in question.answers if not one.right]
        assert all(abs(float(one.text) - float(right[0].text)) > one.tolerance for one in wrong)
    reasons = [question.why] if question.kind == "match" else [one.why for one in question.answers]
    assert all(len(why.split()) >= 5 and why.endswith(".") for why in reasons)
    texts = [question.text, *reasons, *(one.text + one.partner for one in question.answers)]
    assert not [text for text in texts if re.search(r"[{}]|\b\w+\.\w+_\w+", text)]  # no name of a record
    assert all(text.count("`") % 2 == 0 for text in texts)


@pytest.mark.parametrize("question", ALL, ids=KEYS)
def test_a_question_is_proved_by_its_lesson(question):
    entry = entry_of(question)
    assert bare(question.section) in HEADINGS[question.lesson]
    assert bare(entry["shown"]) in WORDS[question.lesson], "the lesson no longer says so: look again"
    board = scoreboard.reference()
    for claim in entry.get("measured", []):
        assert re.fullmatch(r"[\w.]+ (<|>|==) [\w.* ]+", claim)
        filled = re.sub(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)+", lambda found: repr(board[found[0]]), claim)
        assert eval(filled, {"__builtins__": {}}), f"{claim} holds no more: the answer has changed"


@pytest.mark.parametrize("question", ALL, ids=KEYS)
def test_a_figure_of_the_course_comes_from_a_record(question):
    """A figure with a decimal, written by hand, would go stale: only invented ones may stand so."""
    entry = entry_of(question)
    asked = [entry["text"], *(one["text"] for one in entry.get("answers", []))]
    invented = {"02.3", "04.3", "12.4"}  # a scale to work out; a share; a step that the lesson sets
    place = f"{question.lesson:02d}.{question.place}"
    fixed = [text for text in asked if re.search(r"(?<![\w.{])\d+\.\d+(?![\w.]*\})", text)]
    versions = [text for text in fixed if re.search(r"\d+\.\d+\.\d+", text)]
    assert place in invented or fixed == versions, fixed


def test_no_question_holds_what_solves_an_exercise():
    for lesson in LESSONS:
        cells = syllabus.read_notebook(lesson.path).cells
        told = [cell.source for cell in cells if "solution" in cell.metadata.get("tags", [])]
        code = {line.strip() for source in told for line in source.splitlines() if "(" in line}
        asked = " ".join(repr(question) for question in bank.read_questions(lesson.number))
        assert code
        assert not [line for line in code if line in asked]
        # Nor a number that a solution checks.
        numbers = {n for source in told for n in re.findall(r"check\.\w+\((-?\d+(?:\.\d+)?)\)", source)}
        typed = {
            one.text
            for question in bank.read_questions(lesson.number)
            if question.kind == "number"
            for one in question.answers
        }
        assert not numbers & typed


# What is refused

GOOD = {
    "kind": "one", "name": "n", "text": "t?", "section": "s",
    "answers": [{"text": "a", "right": True, "why": "w"}, {"text": "b", "why": "v"}],
}  # fmt: skip


def written(tmp_path, monkeypatch, *entries):
    """A bank of one lesson with these questions."""
    monkeypatch.setattr(bank, "_FOLDER", tmp_path)
    lines = []
    for entry in entries:
        lines.append("[[question]]")
        for key, value in entry.items():
            lines.append(f"{key} = {toml(value)}")
    (tmp_path / "03.toml").write_text("\n".join(lines), "utf-8")
    return bank.read_questions(3)


def toml(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"kind": "essay"},
            "there is no kind 'essay': choose one of one, several, truth, number, match",
        ),
        ({"answers": GOOD["answers"][:1]}, "it needs two answers or more, each another"),
        ({"answers": GOOD["answers"] * 2}, "each another: write them apart"),
        ({"answers": [one | {"right": True} for one in GOOD["answers"]]}, "2 of its answers are right"),
        ({"kind": "several"}, "1 of its 2 answers are right: mark two or more, and leave one wrong"),
        ({"kind": "number"}, "a, b are no numbers: write digits, such as 0.4"),
        ({"answers": [GOOD["answers"][0], {"text": "b", "why": ""}]}, "say why of each answer"),
        ({"kind": "match", "pairs": [["a", "x"], ["b", "x"]], "why": "w"}, "pairs need partners"),
        ({"text": "{no.such_record} %"}, "no lesson records 'no.such_record': take a name from"),
        ({"answers": 7}, "03.toml is no file of questions"),
    ],
)
def test_what_no_platform_could_ask_is_refused(tmp_path, monkeypatch, change, sentence):
    with pytest.raises(bank.QuizError, match=re.escape(sentence)):
        written(tmp_path, monkeypatch, GOOD | change)


def test_a_damaged_file_is_named_and_a_missing_one_asks_nothing(tmp_path, monkeypatch):
    assert written(tmp_path, monkeypatch, GOOD)[0].title == "03.1 n"
    (tmp_path / "03.toml").write_text("[[question", "utf-8")
    with pytest.raises(
        bank.QuizError, match=r"03\.toml is no file of questions .*compare it with 00\.toml"
    ):
        bank.read_questions(3)
    assert bank.read_questions(4) == ()


def test_a_figure_is_filled_in_as_it_is_asked_for(tmp_path, monkeypatch):
    asked = "{qat.tiny.ptq4_loss_points:.0f} or {qat.tiny.ptq4_loss_points} points"
    record = scoreboard.Record("qat.tiny.ptq4_loss_points", 24.21, "points", 3)
    monkeypatch.setattr(scoreboard, "reference", lambda: scoreboard.Scoreboard((record,)))
    assert written(tmp_path, monkeypatch, GOOD | {"text": asked})[0].text == "24 or 24.21 points"


# GIFT, read back as Moodle's importer reads it

ESCAPED = {sign: chr(0xE000 + place) for place, sign in enumerate("\\~=#{}:")}


def hide(text):
    return re.sub(r"\\([\\~=#{}:])", lambda found: ESCAPED[found[1]], text)


def reveal(text):
    for sign, stand_in in ESCAPED.items():
        text = text.replace(stand_in, sign)
    return text


def plain(rich):
    """HTML of the bank as its backticked text."""
    return html.unescape(re.sub(r"</?code>", "`", reveal(rich.strip())))


def parse_gift(text):
    """Of each question: category, title, text, kind, answers {text: (share, why)}, general why."""
    category, found = "", []
    for block in re.split(r"\n[ \t]*\n", text.strip()):
        block = hide(block)
        if block.startswith("$CATEGORY:"):
            category = reveal(block.removeprefix("$CATEGORY:").strip())
            continue
        title, asked, inside = re.fullmatch(r"::(.*?)::\[html\](.*?)\{(.*)\}", block, re.DOTALL).groups()
        assert "{" not in inside and "}" not in inside
        inside, _, general = inside.partition("####")
        found.append(
            (category, plain(title), plain(asked), *parse_answers(inside.strip()), plain(general))
        )
    return found


def parse_answers(inside):
    if inside.startswith("#"):
        parts = re.findall(r"=%(-?[\d.]+)%([^=#]+)#([^=]*)", inside)
        numbers = {}
        for share, number, why in parts:
            value, _, tolerance = number.partition(":")
            numbers[value, float(tolerance)] = (float(share), plain(why))
        return "number", numbers
    if "~" in inside:
        answers = {}
        for sign, part in re.findall(r"([~=])([^~=]+)", inside):
            share = re.match(r"%(-?[\d.]+)%", part)
            text, _, why = part[share.end() if share else 0 :].partition("#")
            value = float(share[1]) if share else 100.0 * (sign == "=")
            answers[plain(text)] = (value, plain(why))
        return "one" if "=" in inside else "several", answers
    if inside.startswith("="):
        pairs = [part.split(" -> ") for part in inside.split("=")[1:]]
        assert all(len(pair) == 2 for pair in pairs)
        return "match", {plain(left): (100.0, plain(right)) for left, right in pairs}
    truth, wrong, right = inside.split("#")
    assert truth in ("TRUE", "FALSE")
    said = {"True": right, "False": wrong} if truth == "TRUE" else {"True": wrong, "False": right}
    return "truth", {text: (100.0 * (text.upper() == truth), plain(why)) for text, why in said.items()}


def test_moodle_reads_back_every_question_as_it_was_asked():
    found = parse_gift(gift.write_gift(LESSONS))
    assert len(found) == len(ALL)
    titles = {lesson.number: f"TinyML/{lesson.number:02d} {lesson.title}" for lesson in LESSONS}
    for question, (category, title, text, kind, answers, general) in zip(ALL, found, strict=True):
        assert category == titles[question.lesson]
        assert (title, text, kind) == (question.title, question.text, question.kind)
        assert general == (question.explain(question.why) if question.why else "")
        assert list(answers) == expected_answers(question)
        for one, (share, why) in zip(question.answers, answers.values(), strict=True):
            assert (share > 0) == one.right
            expected = one.partner.replace("`", "") if kind == "match" else question.explain(one.why)
            assert why == expected


def expected_answers(question):
    if question.kind == "number":
        return [(one.text, one.tolerance) for one in question.answers]
    return [one.text for one in question.answers]


# Those that the importer knows, as percent.
SHARES = {100, 90, 83.33333, 80, 75, 70, 66.66667, 60, 50, 40, 33.33333, 30, 25, 20, 16.66667, 14.28571,
          12.5, 11.11111, 10, 5, 0}  # fmt: skip


def test_shares_of_several_add_up_to_a_whole_mark_and_everything_ticked_to_none():
    several = [
        answers for *_, kind, answers, _ in parse_gift(gift.write_gift(LESSONS)) if kind == "several"
    ]
    assert len(several) >= 15
    for answers in several:
        shares = [share for share, _ in answers.values()]
        assert {abs(share) for share in shares} <= SHARES
        assert sum(share for share in shares if share > 0) == pytest.approx(100, abs=0.01)
        assert sum(shares) == pytest.approx(0, abs=0.01)


NASTY = r"~a = b# {c}:: \d, 50 % -> <e> & `x{1} = ~y` [f] // $g"


@pytest.mark.parametrize("kind", ["one", "several", "truth", "number", "match"])
def test_signs_of_the_format_come_back_as_they_were(tmp_path, monkeypatch, kind):
    answers = [
        {"text": NASTY, "right": True, "why": f"so {NASTY}"},
        {"text": f"b {NASTY}", "right": kind == "several", "why": f"no {NASTY}"},
        {"text": "c", "why": f"nor {NASTY}"},
    ]
    if kind == "number":
        for place, one in enumerate(answers):
            one["text"] = f"-{place}.5"
    entry = GOOD | {
        "kind": kind, "name": NASTY, "text": f"Is {NASTY}?", "answers": answers, "why": f"All {NASTY}",
        "is_true": True, "if_true": NASTY, "if_false": f"not {NASTY}", "tolerance": 0.25,
        "pairs": [[NASTY, "plain ~ = # { } : \\"], ["b", "other"]],
    }  # fmt: skip
    (question,) = written(tmp_path, monkeypatch, entry)
    ((_, title, text, found, read, general),) = parse_gift(gift.write_gift([LESSONS[3]]))
    assert (title, text, found) == (question.title, question.text, kind)
    assert general == question.explain(question.why)
    assert list(read) == expected_answers(question)
    (item,) = (root for name, root in unpacked([LESSONS[3]]).items() if name.startswith("items/"))
    assert said(item.find("itemBody/div/p")) == question.text
    assert item.get("title") == question.title


# QTI, held to the standard's structure and read back

ITEM = "{http://www.imsglobal.org/xsd/imsqti_v2p1}"
PACKAGE = "{http://www.imsglobal.org/xsd/imscp_v1p1}"
TEXT = r"(code |textEntryInteraction )*"
# What may stand in an element, in which order, and its attributes, required ones with a mark: the part
# of QTI 2.1 and IMS Content Packaging 1.1 that a quiz needs, written down from the specifications.
GRAMMAR = {
    "manifest": ("metadata organizations resources ", "identifier!"),
    "metadata": ("schema schemaversion ", ""),
    "schema": ("", ""), "schemaversion": ("", ""), "organizations": ("", ""),
    "resources": ("(resource )*", ""),
    "resource": ("(file )*(dependency )*", "identifier! type! href"),
    "file": ("", "href!"), "dependency": ("", "identifierref!"),
    "assessmentTest": ("(outcomeDeclaration )*(testPart )+", "identifier! title!"),
    "testPart": ("(assessmentSection )+", "identifier! navigationMode! submissionMode!"),
    "assessmentSection": ("(assessmentItemRef )*", "identifier! title! visible!"),
    "assessmentItemRef": ("", "identifier! href!"),
    "assessmentItem": (
        "(responseDeclaration )*(outcomeDeclaration )*(itemBody )?(responseProcessing )?"
        "(modalFeedback )*",
        "identifier! title! adaptive! timeDependent!",
    ),
    "responseDeclaration": ("(correctResponse )?", "identifier! cardinality! baseType"),
    "correctResponse": ("(value )+", ""), "value": ("", ""), "defaultValue": ("(value )+", ""),
    "outcomeDeclaration": ("(defaultValue )?", "identifier! cardinality! baseType normalMaximum"),
    "itemBody": ("(div |p |choiceInteraction |matchInteraction )*", ""),
    "div": ("(p )*", ""), "p": (TEXT, ""), "code": ("", ""),
    "choiceInteraction": ("(simpleChoice )+", "responseIdentifier! shuffle! maxChoices!"),
    "simpleChoice": (TEXT, "identifier!"),
    "textEntryInteraction": ("", "responseIdentifier! expectedLength"),
    "matchInteraction": ("(simpleMatchSet ){2}", "responseIdentifier! shuffle! maxAssociations"),
    "simpleMatchSet": ("(simpleAssociableChoice )*", ""),
    "simpleAssociableChoice": (TEXT, "identifier! matchMax!"),
    "responseProcessing": ("(responseCondition )*", "template"),
    "responseCondition": ("responseIf (responseElse )?", ""),
    "responseIf": ("equal (setOutcomeValue )*", ""),
    "equal": ("variable correct ", "toleranceMode! tolerance"),
    "variable": ("", "identifier!"), "correct": ("", "identifier!"),
    "setOutcomeValue": ("baseValue ", "identifier!"), "baseValue": ("", "baseType!"),
    "modalFeedback": ("(p )*", "outcomeIdentifier! showHide! identifier!"),
}  # fmt: skip
WORDS_ONLY = {"schema", "schemaversion", "value", "p", "code", "simpleChoice", "simpleAssociableChoice",
              "baseValue"}  # fmt: skip


def unpacked(lessons):
    """Name -> root of every file of the package, without its namespace, which is checked."""
    found = {}
    with zipfile.ZipFile(io.BytesIO(qti.write_qti(lessons))) as package:
        assert package.testzip() is None
        for name in package.namelist():
            root = ET.fromstring(package.read(name))
            space = PACKAGE if name == "imsmanifest.xml" else ITEM
            for element in root.iter():
                assert element.tag.startswith(space), element.tag
                element.tag = element.tag.removeprefix(space)
            found[name] = root
    return found


FILES = unpacked(LESSONS)
ITEMS = {name: root for name, root in FILES.items() if name.startswith("items/")}


def said(element):
    """Text of an element, code between backticks."""
    parts = [element.text or ""]
    for child in element:
        parts += [f"`{child.text}`" if child.tag == "code" else "", child.tail or ""]
    return "".join(parts)


@pytest.mark.parametrize("name", FILES)
def test_every_file_keeps_to_the_structure_of_the_standard(name):
    for element in FILES[name].iter():
        children, attributes = GRAMMAR[element.tag]
        assert re.fullmatch(children, "".join(f"{child.tag} " for child in element)), element.tag
        allowed = {word.rstrip("!") for word in attributes.split()}
        required = {word.rstrip("!") for word in attributes.split() if word.endswith("!")}
        assert required <= set(element.attrib) <= allowed, element.tag
        if element.tag not in WORDS_ONLY:
            loose = [element.text, *(child.tail for child in element)]
            assert not "".join(filter(None, loose)).strip(), element.tag
        for key in ("identifier", "responseIdentifier", "outcomeIdentifier", "identifierref"):
            assert re.fullmatch(r"[A-Za-z_][\w.-]*", element.get(key, "x"))


def test_the_structure_would_refuse_what_is_no_question():
    children, attributes = GRAMMAR["assessmentItem"]
    assert not re.fullmatch(children, "itemBody responseDeclaration ")
    assert not re.fullmatch(GRAMMAR["matchInteraction"][0], "simpleMatchSet ")
    assert "identifier!" in attributes.split()


def test_the_manifest_names_each_file_once_and_the_test_each_question():
    resources = FILES["imsmanifest.xml"].findall("resources/resource")
    places = {one.get("identifier"): one.get("href") for one in resources}
    assert sorted(places.values()) == sorted(set(FILES) - {"imsmanifest.xml"})
    assert len(places) == len(resources) == len(ALL) + 1
    assert all(
        [file.get("href") for file in one.findall("file")] == [one.get("href")] for one in resources
    )
    (test,) = (one for one in resources if one.get("type") == "imsqti_test_xmlv2p1")
    assert {one.get("type") for one in resources} == {"imsqti_test_xmlv2p1", "imsqti_item_xmlv2p1"}
    assert {one.get("identifierref") for one in test.findall("dependency")} == set(KEYS)
    sections = FILES[test.get("href")].findall("testPart/assessmentSection")
    assert [one.get("title") for one in sections] == [f"{it.number:02d} {it.title}" for it in LESSONS]
    refs = [ref for section in sections for ref in section.findall("assessmentItemRef")]
    assert [ref.get("identifier") for ref in refs] == KEYS
    assert all(places[ref.get("identifier")] == ref.get("href") for ref in refs)


@pytest.mark.parametrize("question", ALL, ids=KEYS)
def test_an_item_reads_back_as_the_question(question):
    item = ITEMS[f"items/{question.key}.xml"]
    assert (item.get("identifier"), item.get("title")) == (question.key, question.title)
    assert said(item.find("itemBody/div/p")) == question.text
    response = item.find("responseDeclaration")
    correct = {value.text for value in response.findall("correctResponse/value")}
    many = question.kind in ("several", "match")
    assert response.get("cardinality") == ("multiple" if many else "single")
    if question.kind in ("one", "several", "truth"):
        choice = item.find("itemBody/choiceInteraction")
        assert choice.get("maxChoices") == ("0" if many else "1")  # 0: as many as one likes
        assert choice.get("shuffle") == ("false" if question.kind == "truth" else "true")
    answers = {place: one for place, one in enumerate(question.answers, 1)}
    if question.kind == "number":
        assert {float(one) for one in correct} == {float(it.text) for it in question.answers if it.right}
        assert response.get("baseType") == "float"
    elif question.kind == "match":
        choices = {it.get("identifier"): said(it) for it in item.iter("simpleAssociableChoice")}
        pairs = {tuple(choices[one] for one in pair.split()) for pair in correct}
        assert pairs == {(it.text, it.partner) for it in question.answers}
        right = [said(it) for it in item.findall(".//simpleMatchSet")[1]]
        assert right == sorted(right)
    else:
        choices = {it.get("identifier"): said(it) for it in item.iter("simpleChoice")}
        assert list(choices.values()) == [it.text for it in question.answers]
        assert {choices[one] for one in correct} == {it.text for it in question.answers if it.right}
        # Canvas joins an answer and its feedback by the number in both names.
        shown = {it.get("identifier"): said(it.find("p")) for it in item.findall("modalFeedback")}
        for place, one in answers.items():
            assert choices[f"RESPONSE_{place}"] == one.text
            assert shown[f"feedback_{place}_fb"] == question.explain(one.why)


@pytest.mark.parametrize("question", ALL, ids=KEYS)
def test_what_is_right_is_said_by_the_standards_template_where_it_can(question):
    processing = ITEMS[f"items/{question.key}.xml"].find("responseProcessing")
    tolerance = max(one.tolerance for one in question.answers)
    if tolerance:
        equal = processing.find("responseCondition/responseIf/equal")
        assert equal.get("tolerance").split() == [f"{tolerance:g}"] * 2
    else:
        assert processing.get("template").endswith("/rptemplates/match_correct")
        assert len(processing) == 0


def test_a_package_has_the_same_bytes_each_time_and_only_the_lessons_asked_for():
    assert qti.write_qti(LESSONS[:2]) == qti.write_qti(LESSONS[:2])
    assert {name[6:9] for name in unpacked(LESSONS[4:5]) if name.startswith("items/")} == {"L04"}
    assert "TinyML/02 " not in gift.write_gift(LESSONS[:2])


def test_the_kit_has_both_files_and_none_for_learners(tmp_path):
    made = kit.make(LESSONS[:1], tmp_path / "kit", progress=False)
    assert {name for name in made.files if name.startswith("quiz/")} == {
        "quiz/tinyml-quiz.gift", "quiz/tinyml-quiz-qti.zip",
    }  # fmt: skip
    assert (tmp_path / "kit" / "quiz" / "tinyml-quiz-qti.zip").read_bytes() == qti.write_qti(LESSONS[:1])
    assert kit.make(LESSONS[:1], tmp_path / "kit", progress=False).kept == ()
    learners = [path.read_text("utf-8") for path in (tmp_path / "kit" / "student").iterdir()]
    asked = bank.read_questions(0)
    assert not [one.name for one in asked for text in learners if one.text in text]
