"""A class on one server: the lessons as a repository, which nbgitpuller brings to each learner."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from urllib.parse import urlencode

from tinyml_helpers.course import syllabus

BRANCH = "main"


def lessons_folder() -> Path:
    """Return the folder that is handed out: `TINYML_CLASS_LESSONS`, or the lessons of the checkout.

    Raises:
        FileNotFoundError: the folder holds no notebook.
    """
    folder = Path(os.environ.get("TINYML_CLASS_LESSONS") or syllabus.notebooks_folder())
    if not any(folder.glob("*.ipynb")):
        raise FileNotFoundError(
            f"no notebooks in {folder}: make some with `tinyml workshop --out kit` and set "
            "TINYML_CLASS_LESSONS to kit/student"
        )
    return folder


def publish(lessons: Path, repository: Path) -> None:
    """Commit a folder of lessons, as it is now, to a repository that the learners' folders follow.

    Args:
        lessons: the folder; nothing is written to it.
        repository: a bare git repository, made where there is none.

    Raises:
        OSError: git is not installed.
        CalledProcessError: git says no.
    """
    if not repository.exists():
        init = ["git", "init", "--quiet", "--bare", f"--initial-branch={BRANCH}", str(repository)]
        subprocess.run(init, check=True)
    git = ["git", f"--git-dir={repository}", f"--work-tree={lessons}"]
    git += ["-c", "user.name=class", "-c", "user.email=class@localhost"]
    subprocess.run([*git, "add", "--all", "--", ".", ":!.ipynb_checkpoints"], check=True, cwd=lessons)
    if subprocess.run([*git, "diff", "--cached", "--quiet"], cwd=lessons).returncode:
        subprocess.run([*git, "commit", "--quiet", "--message=lessons"], check=True, cwd=lessons)


def link(address: str, repository: str) -> str:
    """Return what a learner clicks to get the lessons, or what changed in them.

    Source: nbgitpuller.readthedocs.io, "Using nbgitpuller".
    """
    wanted = {"repo": repository, "branch": BRANCH, "targetPath": "lessons"}
    query = urlencode(wanted | {"urlpath": "lab/tree/lessons"})
    return f"{address}/hub/user-redirect/git-pull?{query}"
