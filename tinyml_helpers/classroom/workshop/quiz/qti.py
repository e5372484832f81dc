"""The bank as a QTI 2.1 package, which Canvas, Blackboard and other platforms import."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

from tinyml_helpers.classroom.workshop.quiz import bank
from tinyml_helpers.classroom.workshop.quiz.bank import Question
from tinyml_helpers.course.syllabus import Lesson

_QTI = "http://www.imsglobal.org/xsd/imsqti_v2p1"
_PACKAGE = "http://www.imsglobal.org/xsd/imscp_v1p1"
_MATCH_CORRECT = "http://www.imsglobal.org/question/qti_v2p1/rptemplates/match_correct"
_TEST = "tinyml-quiz"
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the same bytes whenever it is made


def write_qti(lessons: Sequence[Lesson]) -> bytes:
    """Return a zip: a manifest, a test with a section for each lesson, and a file for each question.

    Right is what equals the declared answer, by the standard's own template: Blackboard passes over
    questions with rules of their own. A number with a tolerance needs such a rule.

    Source: IMS Question and Test Interoperability 2.1, information model, and IMS Content Packaging 1.1.
    """
    found = {lesson: bank.read_questions(lesson.number) for lesson in lessons}
    asked = {lesson: questions for lesson, questions in found.items() if questions}
    questions = [one for those in asked.values() for one in those]
    files = {"imsmanifest.xml": _manifest(questions), f"{_TEST}.xml": _test(asked)}
    files |= {_place(one): _item(one) for one in questions}
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as package:
        for name, root in files.items():
            text = ET.tostring(root, encoding="utf-8", xml_declaration=True)
            package.writestr(zipfile.ZipInfo(name, _LONG_AGO), text, zipfile.ZIP_DEFLATED)
    return content.getvalue()


def _place(question: Question) -> str:
    return f"items/{question.key}.xml"


def _manifest(questions: Sequence[Question]) -> Element:
    root = Element("manifest", {"xmlns": _PACKAGE, "identifier": "tinyml-quiz-package"})
    about = _add(root, "metadata")
    _add(about, "schema").text = "QTIv2.1 Package"
    _add(about, "schemaversion").text = "1.0.0"
    _add(root, "organizations")
    resources = _add(root, "resources")
    test = _resource(resources, _TEST, "imsqti_test_xmlv2p1", f"{_TEST}.xml")
    for one in questions:
        _add(test, "dependency", identifierref=one.key)
        _resource(resources, one.key, "imsqti_item_xmlv2p1", _place(one))
    return root


def _resource(resources: Element, identifier: str, kind: str, href: str) -> Element:
    resource = _add(resources, "resource", identifier=identifier, type=kind, href=href)
    _add(resource, "file", href=href)
    return resource


def _test(asked: dict[Lesson, tuple[Question, ...]]) -> Element:
    """Return the test: what groups the questions by lesson."""
    root = Element("assessmentTest", {"xmlns": _QTI, "identifier": _TEST, "title": "TinyML, measured"})
    part = _add(
        root, "testPart", identifier="all", navigationMode="nonlinear", submissionMode="individual"
    )
    for lesson, questions in asked.items():
        title = f"{lesson.number:02d} {lesson.title}"
        section = _add(
            part, "assessmentSection", identifier=f"L{lesson.number:02d}", title=title, visible="true"
        )
        for one in questions:
            _add(section, "assessmentItemRef", identifier=one.key, href=_place(one))
    return root


def _item(question: Question) -> Element:
    root = Element("assessmentItem", {"xmlns": _QTI, "identifier": question.key})
    root.attrib |= {"title": question.title, "adaptive": "false", "timeDependent": "false"}
    _declare(root, question)
    body = _add(root, "itemBody")
    _say(_add(_add(body, "div"), "p"), question.text)
    _INTERACTIONS[question.kind](body, question)
    _score(root, question)
    if question.why:
        _feedback(root, "general_fb", question.explain(question.why))
    if question.kind in ("one", "several", "truth"):
        # Canvas joins `feedback_2_fb` to the answer `RESPONSE_2` by these names.
        for place, one in enumerate(question.answers, 1):
            _feedback(root, f"feedback_{place}_fb", question.explain(one.why))
    return root


_RESPONSES = {  # cardinality and type of what is answered
    "one": ("single", "identifier"),
    "several": ("multiple", "identifier"),
    "truth": ("single", "identifier"),
    "number": ("single", "float"),
    "match": ("multiple", "directedPair"),
}


def _declare(root: Element, question: Question) -> None:
    """Declare the response with its right answer, and what comes of it."""
    many, kind = _RESPONSES[question.kind]
    response = _add(root, "responseDeclaration", identifier="RESPONSE", cardinality=many, baseType=kind)
    correct = _add(response, "correctResponse")
    for place, one in enumerate(question.answers, 1):
        if one.right:
            names = {"float": one.text, "directedPair": f"LEFT_{place} RIGHT_{place}"}
            _add(correct, "value").text = names.get(kind, f"RESPONSE_{place}")
    score = _add(
        root, "outcomeDeclaration", identifier="SCORE", cardinality="single", baseType="float",
        normalMaximum="1",
    )  # fmt: skip
    _add(_add(score, "defaultValue"), "value").text = "0"
    _add(root, "outcomeDeclaration", identifier="FEEDBACK", cardinality="single", baseType="identifier")


def _choose(body: Element, question: Question) -> None:
    most = "0" if question.kind == "several" else "1"  # 0: as many as one likes
    mixed = "false" if question.kind == "truth" else "true"
    choices = _add(
        body, "choiceInteraction", responseIdentifier="RESPONSE", shuffle=mixed, maxChoices=most
    )
    for place, one in enumerate(question.answers, 1):
        _say(_add(choices, "simpleChoice", identifier=f"RESPONSE_{place}"), one.text)


def _type(body: Element, question: Question) -> None:
    field = _add(body, "p")
    _add(field, "textEntryInteraction", responseIdentifier="RESPONSE", expectedLength="12")


def _join(body: Element, question: Question) -> None:
    """Ask for pairs; the partners stand in the order of the alphabet, which tells nothing."""
    most = str(len(question.answers))
    pairs = _add(
        body, "matchInteraction", responseIdentifier="RESPONSE", shuffle="true", maxAssociations=most
    )
    lefts = [(f"LEFT_{place}", one.text) for place, one in enumerate(question.answers, 1)]
    rights = [(f"RIGHT_{place}", one.partner) for place, one in enumerate(question.answers, 1)]
    for side in (lefts, sorted(rights, key=lambda pair: pair[1])):
        group = _add(pairs, "simpleMatchSet")
        for name, text in side:
            _say(_add(group, "simpleAssociableChoice", identifier=name, matchMax="1"), text)


_INTERACTIONS = {"one": _choose, "several": _choose, "truth": _choose, "number": _type, "match": _join}


def _score(root: Element, question: Question) -> None:
    """Say when an answer is right."""
    tolerance = max(one.tolerance for one in question.answers)
    if not tolerance:
        _add(root, "responseProcessing", template=_MATCH_CORRECT)
        return
    case = _add(_add(root, "responseProcessing"), "responseCondition")
    hit = _add(case, "responseIf")
    equal = _add(hit, "equal", toleranceMode="absolute", tolerance=f"{tolerance:g} {tolerance:g}")
    _add(equal, "variable", identifier="RESPONSE")
    _add(equal, "correct", identifier="RESPONSE")
    mark = _add(hit, "setOutcomeValue", identifier="SCORE")
    _add(mark, "baseValue", baseType="float").text = "1"


def _feedback(root: Element, identifier: str, text: str) -> None:
    shown = _add(
        root, "modalFeedback", outcomeIdentifier="FEEDBACK", identifier=identifier, showHide="show"
    )
    _say(_add(shown, "p"), text)


def _say(parent: Element, text: str) -> None:
    """Write a text into an element, with what stands between backticks as code."""
    parent.text, *rest = text.split("`")
    for code, after in zip(rest[::2], rest[1::2], strict=True):
        piece = _add(parent, "code")
        piece.text, piece.tail = code, after


def _add(parent: Element, tag: str, **attributes: str) -> Element:
    return ET.SubElement(parent, tag, attributes)
