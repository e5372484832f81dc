"""One server for a class: `jupyterhub -f jupyterhub_config.py`, in the environment of the course.

Settings, all from the environment:

TINYML_CLASS_PASSWORD   what learners type; at least 8 characters; needed
TINYML_CLASS_FOLDER     where homes and the hub's records go (class/)
TINYML_CLASS_LESSONS    the notebooks handed out (those of the checkout)
TINYML_CLASS_ADDRESS    where the class finds the hub (http://127.0.0.1:8000)
TINYML_CLASS_SIZE       how many servers may run at a time (40)
TINYML_CLASS_ROOT       set to 1, it lets root start the hub, as in a container of one's own

Lessons are handed out by nbgitpuller. Each learner gets a copy, and what you change later is merged into
it: start the hub again, and it comes when the learner's server starts, or by the link that this prints.
Where both of you changed the same lines, the learner's stay; a file that a learner deleted comes back.

All servers run as the user who starts the hub, each with a home of its own. That is for a room of
people who trust each other. For anything longer, use system accounts: book/teach/jupyterhub.md.
"""

import os
import sys
from pathlib import Path

from jupyterhub.spawner import Spawner
from nbgitpuller import GitPuller
from tornado.ioloop import IOLoop

import tinyml_helpers
from tinyml_helpers.classroom.workshop import hub

root = hasattr(os, "geteuid") and os.geteuid() == 0
if root and os.environ.get("TINYML_CLASS_ROOT") != "1":
    sys.exit("Start the hub as an ordinary user: whoever starts it owns every learner's server.")

c = get_config()  # type: ignore[name-defined]  # noqa: F821 - JupyterHub puts it there

folder = Path(os.environ.get("TINYML_CLASS_FOLDER", "class")).resolve()
folder.mkdir(mode=0o700, parents=True, exist_ok=True)
lessons = folder / "lessons.git"
hub.publish(hub.lessons_folder(), lessons)
# A folder of lessons that is no repository must not be taken for a part of one that it lies in.
os.environ["GIT_CEILING_DIRECTORIES"] = str(folder / "homes")

# Who comes in: everybody who knows the password, by a name that is safe as a folder's.
c.JupyterHub.authenticator_class = "shared-password"
c.SharedPasswordAuthenticator.user_password = os.environ["TINYML_CLASS_PASSWORD"]
c.Authenticator.allow_all = True
c.Authenticator.username_pattern = r"[a-z][a-z0-9_-]{0,31}"

# The front door: a proxy in Python, so that no Node is needed.
c.JupyterHub.bind_url = os.environ.get("TINYML_CLASS_ADDRESS", "http://127.0.0.1:8000")
print("What changed in the lessons comes by", hub.link(c.JupyterHub.bind_url, lessons.as_uri()))
c.ConfigurableHTTPProxy.command = [
    sys.executable,
    "-c",
    "from configurable_http_proxy.cli import main; main()",
]
c.ConfigurableHTTPProxy.pid_file = str(folder / "proxy.pid")

# The hub's own records.
c.JupyterHub.db_url = f"sqlite:///{folder / 'hub.sqlite'}"
c.JupyterHub.cookie_secret_file = str(folder / "cookie_secret")

# Each learner's server.
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = str(folder / "homes" / "{username}")
c.Spawner.cmd = [sys.executable, "-m", "jupyterhub.singleuser"]
c.Spawner.notebook_dir = "~"
c.Spawner.default_url = "/lab/tree/lessons"
c.Spawner.start_timeout = c.Spawner.http_timeout = 120
c.JupyterHub.concurrent_spawn_limit = 10
c.JupyterHub.active_server_limit = int(os.environ.get("TINYML_CLASS_SIZE", "40"))


def home(spawner: Spawner) -> str:
    """Return a learner's home."""
    return str(folder / "homes" / spawner.user.name)


async def give_lessons(spawner: Spawner) -> None:
    """Bring a learner the lessons while the hub answers others; whatever fails, the server starts."""
    try:
        await IOLoop.current().run_in_executor(None, pull, spawner)
    except Exception as error:
        spawner.log.warning("%s: lessons are left as they are (%s)", spawner.user.name, error)


def pull(spawner: Spawner) -> None:
    """Bring a learner the lessons, and what changed in them."""
    for line in GitPuller(lessons.as_uri(), f"{home(spawner)}/lessons", branch=hub.BRANCH).pull():
        spawner.log.debug(line.rstrip())


c.Spawner.pre_spawn_hook = give_lessons
c.Spawner.environment = {
    # The course is installed once, for all: what a learner measures goes to the learner's home.
    "TINYML_RESULTS": lambda spawner: f"{home(spawner)}/results",
    "GIT_CEILING_DIRECTORIES": str(folder / "homes"),
    # What one learner has compiled, the others find there.
    "TINYML_CACHE": str(folder / "cache"),
    # Controls that obey the keyboard, figures that say what they show.
    "JUPYTER_PATH": str(Path(tinyml_helpers.__file__).parent / "course" / "jupyter"),
    # Many learners share the cores: one thread each is faster for all.
    "OMP_NUM_THREADS": "1",
}
# Memory comes back when somebody has left: kernels after one idle hour, servers after two.
c.Spawner.args = [
    "--MappingKernelManager.cull_idle_timeout=3600",
    "--MappingKernelManager.cull_connected=True",
    "--ServerApp.shutdown_no_activity_timeout=7200",
    *(["--allow-root"] if root else []),
]
