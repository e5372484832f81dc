"""A real JupyterHub on loopback, configured as for a class, and three learners at once."""

import json
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest
import websocket

if sys.platform != "win32":  # neither it nor JupyterHub runs there
    from nbgitpuller import GitPuller

from tinyml_helpers.classroom.workshop import hub
from tinyml_helpers.course import syllabus

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
import class_hub

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="JupyterHub does not run on Windows")

LEARNERS = ("ada", "grace", "mary-1")


@pytest.fixture(scope="module")
def a_class(tmp_path_factory):
    """The address of a running hub, and the folder with its homes."""
    with class_hub.running(tmp_path_factory.mktemp("class")) as one:
        yield one.address, one.homes


def first_cells(folder):
    """The code of lesson 00 up to the network on the microcontroller, and a record of one's own."""
    path = next(folder.glob("00_*.ipynb"))
    code = [c.source for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
    last = next(i for i, source in enumerate(code) if "mcu.build(" in source)
    mine = (
        "from tinyml_helpers.course import scoreboard\n"
        'scoreboard.record("class.instructions", run.instructions, "instructions", lesson=0)\n'
        "from pathlib import Path; Path('mine.txt').write_text(str(Path.home()))\n"
        "print(run.instructions, run.output.tolist(), Path.cwd())"
    )
    return [*code[: last + 1], mine]


def learn(address, homes, name):
    server = class_hub.open_server(address, name)
    return class_hub.run(server, first_cells(homes / name / "lessons"))


def test_three_learners_run_a_lesson_at_once_and_keep_apart(a_class):
    address, homes = a_class
    with ThreadPoolExecutor(len(LEARNERS)) as pool:
        shown = list(pool.map(lambda name: learn(address, homes, name), LEARNERS))

    assert any((homes.parent / "cache").iterdir())
    assert "instructions" in shown[0][-2]
    assert shown[0][-2] == shown[1][-2] == shown[2][-2]
    for name, texts in zip(LEARNERS, shown, strict=True):
        home = homes / name
        instructions, *_ = texts[-1].splitlines()[-1].split()
        assert texts[-1].rstrip().endswith(str(home / "lessons"))
        assert (home / "lessons" / "mine.txt").read_text() == str(home)
        records = json.loads((home / "results" / "00.json").read_text())
        assert records[-1]["value"] == int(instructions)
        handed = {path.name for path in (home / "lessons").glob("*.ipynb")}
        assert handed == {lesson.path.name for lesson in syllabus.lessons()}


def test_a_kernel_that_dies_is_seen(a_class):
    """Or a class in which nobody's kernel died would prove nothing."""
    server = class_hub.open_server(a_class[0], "bob")
    with pytest.raises(class_hub.KernelDiedError, match="restarting"):
        class_hub.run(server, ["import os; os._exit(1)", "1"])
    with pytest.raises(class_hub.CellError, match="ZeroDivisionError"):
        class_hub.run(server, ["1 / 0"])
    assert class_hub.run(server, ["print('a'); 2 + 3"]) == ["a\n5"]


def test_a_hub_that_is_too_busy_to_say_who_asks_is_asked_again(monkeypatch):
    refused = websocket.WebSocketBadStatusException("Handshake status %d", 599)
    answers = [refused, refused, "connected"]

    def answer(*_, **__):
        if isinstance(one := answers.pop(0), Exception):
            raise one
        return one

    monkeypatch.setattr(websocket, "create_connection", answer)
    assert class_hub.wait_for(lambda: class_hub._connect("ws://localhost"), "connection") == "connected"
    assert answers == []


def test_nobody_comes_in_without_the_password_or_by_a_name_that_is_a_path(a_class):
    address, homes = a_class
    request = urllib.request.Request(f"{address}/hub/api/users")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30)
    assert refused.value.code == 403
    with pytest.raises(urllib.error.HTTPError) as refused:
        class_hub.call(f"{address}/hub/api/users/..%2F..%2Fescaped", "POST")
    assert refused.value.code in (400, 404)
    assert not (homes.parent.parent / "escaped").exists()


def test_the_link_brings_what_changed_to_a_running_server(a_class, tmp_path):
    address, homes = a_class
    server, mine = class_hub.open_server(address, "lin"), homes / "lin" / "lessons"
    (mine / "00_start_here.ipynb").write_text("what lin wrote")
    shutil.copytree(syllabus.notebooks_folder(), tmp_path / "student")
    (tmp_path / "student" / "99_more.ipynb").write_text("new")
    repository = homes.parent / "lessons.git"
    hub.publish(tmp_path / "student", repository)
    asked = hub.link(address, repository.as_uri()).partition("?")[2].replace("targetPath", "targetpath")
    request = urllib.request.Request(f"{server}/git-pull/api?{asked}")
    request.add_header("Authorization", f"token {class_hub.TOKEN}")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=60) as answer:
        assert '"phase": "finished"' in answer.read().decode()
    assert (mine / "99_more.ipynb").read_text() == "new"
    assert (mine / "00_start_here.ipynb").read_text() == "what lin wrote"


# ----- what is handed out, without a hub


@pytest.fixture
def pull(tmp_path, monkeypatch):
    """A function that publishes the files of a teacher, and brings them to a learner's folder."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    student, repository, mine = tmp_path / "student", tmp_path / "lessons.git", tmp_path / "home/lessons"

    def bring(**files):
        shutil.rmtree(student, ignore_errors=True)
        student.mkdir()
        for name, text in files.items():
            (student / f"{name}.ipynb").write_text(text)
        hub.publish(student, repository)
        for _ in GitPuller(repository.as_uri(), str(mine), branch=hub.BRANCH).pull():
            pass
        assert sorted(path.name for path in student.iterdir()) == sorted(f"{n}.ipynb" for n in files)
        return mine

    return bring


LINES = "a\nb\nc\nd\ne\nf\n"


def test_what_a_learner_wrote_stays_and_what_the_teacher_changed_comes(pull):
    mine = pull(edited=LINES, fresh="old", gone="old")
    (mine / "edited.ipynb").write_text(LINES.replace("a", "mine"))
    (mine / "notes.ipynb").write_text("notes")
    pull(edited=LINES.replace("f", "theirs"), fresh="new", more="more")
    texts = {path.name: path.read_text() for path in mine.glob("*.ipynb")}
    both = LINES.replace("a", "mine").replace("f", "theirs")
    assert texts == {
        "edited.ipynb": both, "fresh.ipynb": "new", "more.ipynb": "more", "notes.ipynb": "notes",
    }  # fmt: skip


def test_on_the_same_lines_the_learner_wins_and_a_deleted_file_comes_back(pull):
    mine = pull(edited=LINES, fresh=LINES)
    (mine / "edited.ipynb").write_text(LINES.replace("c", "mine"))
    (mine / "fresh.ipynb").unlink()
    pull(edited=LINES.replace("c", "theirs"), fresh="new")
    assert (mine / "edited.ipynb").read_text() == LINES.replace("c", "mine")
    assert (mine / "fresh.ipynb").read_text() == "new"


def test_a_file_of_the_learner_s_own_gives_way_under_another_name(pull):
    mine = pull(first="1")
    (mine / "more.ipynb").write_text("mine")
    pull(first="1", more="theirs")
    texts = sorted(path.read_text() for path in mine.glob("more*.ipynb"))
    assert texts == ["mine", "theirs"]
    assert (mine / "more.ipynb").read_text() == "theirs"


def test_nothing_new_makes_no_commit(pull, tmp_path):
    def commits():
        log = ["git", f"--git-dir={tmp_path / 'lessons.git'}", "rev-list", "--count", hub.BRANCH]
        return int(subprocess.run(log, capture_output=True, check=True).stdout)

    pull(first="1")
    pull(first="1")
    assert commits() == 1
    pull(first="2")
    assert commits() == 2


def test_a_folder_that_is_no_repository_is_left_as_it_is(pull, tmp_path):
    """As those that a class began with an older course; git must not find one further up."""
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    mine = tmp_path / "home" / "lessons"
    mine.mkdir(parents=True)
    (mine / "first.ipynb").write_text("mine")
    with pytest.raises(subprocess.CalledProcessError):
        pull(first="theirs")
    assert [path.name for path in mine.iterdir()] == ["first.ipynb"]
    assert (mine / "first.ipynb").read_text() == "mine"


def test_the_link_is_nbgitpuller_s():
    assert hub.link("https://hub.example", "https://host.example/me/lessons") == (
        "https://hub.example/hub/user-redirect/git-pull?repo=https%3A%2F%2Fhost.example%2Fme%2Flessons"
        "&branch=main&targetPath=lessons&urlpath=lab%2Ftree%2Flessons"
    )
    page = (Path(__file__).parents[2] / "book" / "teach" / "jupyterhub.md").read_text("utf-8")
    told = hub.link("https://YOUR-HUB", "https://ADDRESS-OF-YOUR-REPOSITORY")
    assert told in page


def test_lessons_to_hand_out_must_be_there(tmp_path, monkeypatch):
    assert hub.lessons_folder() == syllabus.notebooks_folder()
    monkeypatch.setenv("TINYML_CLASS_LESSONS", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"tinyml workshop --out kit"):
        hub.lessons_folder()
