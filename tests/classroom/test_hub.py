"""A real JupyterHub on loopback, configured as for a class, and three learners at once."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import psutil
import pytest

if sys.platform != "win32":  # neither it nor JupyterHub runs there
    from nbgitpuller import GitPuller

from tinyml_helpers.classroom.workshop import hub
from tinyml_helpers.course import syllabus

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="JupyterHub does not run on Windows")

CONFIG = Path(hub.__file__).parent / "files" / "jupyterhub_config.py"
TOKEN = uuid.uuid4().hex
LEARNERS = ("ada", "grace", "mary-1")
SECONDS = 150
# The same file as in a class; the test adds a token for itself and loopback ports that are free.
OVERRIDES = """
load_subconfig({config!r})
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{hub}"
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{api}"
c.JupyterHub.services = [{{"name": "test", "api_token": {token!r}}}]
c.JupyterHub.load_roles = [
    {{
        "name": "test",
        "services": ["test"],
        "scopes": ["admin:users", "admin:servers", "access:servers"],
    }}
]
"""


def free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def call(url, method="GET", body=None):
    """Ask the hub or a learner's server; return the status and the JSON of the answer."""
    headers = {"Authorization": f"token {TOKEN}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers, method=method)
    # No proxy of the environment stands between this test and loopback.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=60) as answer:
        text = answer.read()
        return answer.status, json.loads(text) if text else None


def wait_for(check, what):
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        with contextlib.suppress(OSError, KeyError):
            if (found := check()) is not None:
                return found
        time.sleep(0.2)
    raise TimeoutError(f"no {what} within {SECONDS} s")


def put_down(process):
    """End the hub, its proxy and every learner's server and kernel, whatever state they are in."""
    tree = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
    for one in [*tree, *([psutil.Process(process.pid)] if process.poll() is None else [])]:
        with contextlib.suppress(psutil.NoSuchProcess):
            one.kill()
    psutil.wait_procs(tree, 10)


@pytest.fixture(scope="module")
def a_class(tmp_path_factory):
    """The address of a running hub, and the folder with its homes."""
    folder = tmp_path_factory.mktemp("class")
    public, private, api = free_ports(3)
    config = folder / "config.py"
    config.write_text(OVERRIDES.format(config=str(CONFIG), hub=private, api=api, token=TOKEN))
    address = f"http://127.0.0.1:{public}"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")},
        "TINYML_CLASS_PASSWORD": "a word of eight",
        "TINYML_CLASS_FOLDER": str(folder / "class"),
        "TINYML_CLASS_ADDRESS": address,
        "TINYML_CLASS_ROOT": "1",
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "CONFIGPROXY_AUTH_TOKEN": uuid.uuid4().hex,
    }
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterhub", "-f", config],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=log,
        )
        try:
            wait_for(lambda: hub_is_up(process, address, folder / "log"), "hub")
            yield address, folder / "class" / "homes"
        finally:
            put_down(process)


def hub_is_up(process, address, log):
    assert process.poll() is None, log.read_text()[-3000:]
    return call(f"{address}/hub/api/")[1]["version"]


def open_server(address, name):
    """Have the hub start a learner's server; return its address when it answers."""
    hub_api = f"{address}/hub/api/users/{name}"
    call(hub_api, "POST")
    call(f"{hub_api}/server", "POST", {})

    def server():
        return call(hub_api)[1]["servers"][""]["ready"] or None

    wait_for(server, f"server for {name}")
    return f"{address}/user/{name}"


def run(server, cells):
    """Run cells in a new kernel of a learner's server; return the texts that they showed."""
    import websocket

    kernel = call(f"{server}/api/kernels", "POST", {"name": "python3", "path": "lessons/00.ipynb"})[1][
        "id"
    ]
    link = websocket.create_connection(
        f"{server.replace('http', 'ws', 1)}/api/kernels/{kernel}/channels",
        header=[f"Authorization: token {TOKEN}"],
        timeout=SECONDS,
        http_no_proxy=["127.0.0.1"],
    )
    try:
        return [ask(link, code) for code in cells]
    finally:
        link.close()
        call(f"{server}/api/kernels/{kernel}", "DELETE")


def ask(link, code):
    identity = uuid.uuid4().hex
    header = {"msg_id": identity, "msg_type": "execute_request", "username": "", "session": "test",
              "version": "5.4", "date": ""}  # fmt: skip
    content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False}
    link.send(
        json.dumps(
            {
                "header": header,
                "parent_header": {},
                "metadata": {},
                "content": content,
                "channel": "shell",
            }
        )
    )
    shown = []
    while True:
        message = json.loads(link.recv())
        if message["parent_header"].get("msg_id") != identity:
            continue
        kind, content = message["msg_type"], message["content"]
        if kind == "error":
            raise AssertionError("\n".join(content["traceback"]))
        if kind == "stream" and content["name"] == "stdout":
            shown.append(content["text"])
        if kind == "execute_result":
            shown.append(content["data"]["text/plain"])
        if kind == "status" and content["execution_state"] == "idle":
            return "".join(shown)


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
    server = open_server(address, name)
    return run(server, first_cells(homes / name / "lessons"))


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


def test_nobody_comes_in_without_the_password_or_by_a_name_that_is_a_path(a_class):
    address, homes = a_class
    request = urllib.request.Request(f"{address}/hub/api/users")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30)
    assert refused.value.code == 403
    with pytest.raises(urllib.error.HTTPError) as refused:
        call(f"{address}/hub/api/users/..%2F..%2Fescaped", "POST")
    assert refused.value.code in (400, 404)
    assert not (homes.parent.parent / "escaped").exists()


def test_the_link_brings_what_changed_to_a_running_server(a_class, tmp_path):
    address, homes = a_class
    server, mine = open_server(address, "lin"), homes / "lin" / "lessons"
    (mine / "00_start_here.ipynb").write_text("what lin wrote")
    shutil.copytree(syllabus.notebooks_folder(), tmp_path / "student")
    (tmp_path / "student" / "99_more.ipynb").write_text("new")
    repository = homes.parent / "lessons.git"
    hub.publish(tmp_path / "student", repository)
    asked = hub.link(address, repository.as_uri()).partition("?")[2].replace("targetPath", "targetpath")
    request = urllib.request.Request(f"{server}/git-pull/api?{asked}")
    request.add_header("Authorization", f"token {TOKEN}")
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
