"""JupyterLab as a person uses it: menus, keys, waiting until it is done."""

import json
import re
import urllib.request

PATIENCE_MS = 300_000  # for a slow machine that does something else beside


def open_lab(page, lab, path=""):
    page.goto(lab.url(path))
    page.wait_for_selector("#jupyterlab-splash", state="detached", timeout=PATIENCE_MS)


def menu(page, *names):
    """Choose from the menu bar by name, as a person does."""
    page.locator(".lm-MenuBar-item", has_text=names[0]).first.click()
    for name in names[1:]:
        item = page.locator(".lm-Menu-item").filter(has=page.get_by_text(name, exact=True))
        item.last.hover()
        item.last.click()


def run_all(page):
    """Run all cells by the menu and wait until the kernel has nothing left to do, or a cell fails."""
    # The notebook's own indicator says idle before there is a kernel, and whoever runs a cell then is
    # asked for one; the line at the foot of the window does not.
    ready = page.locator("#jp-main-statusbar").get_by_text("Python 3 (ipykernel) | Idle")
    ready.wait_for(timeout=PATIENCE_MS)
    menu(page, "Run", "Run All Cells")
    # Where the kernel was not attached yet all the same, JupyterLab asks which: take its proposal.
    started = page.locator(".jp-CodeCell .jp-InputPrompt", has_text=re.compile(r"[*\d]")).first
    asked = page.locator(".jp-Dialog .jp-mod-accept")
    started.or_(asked).first.wait_for(state="attached", timeout=PATIENCE_MS)
    if asked.is_visible():
        asked.click()
    page.wait_for_function(
        """() => {
            const prompts = [...document.querySelectorAll(
                // A folded cell has an empty prompt in its place.
                ".jp-CodeCell .jp-InputPrompt:not(.jp-Placeholder-prompt)"
            )];
            const failed = document.querySelector('[data-mime-type="application/vnd.jupyter.error"]');
            return failed || (prompts.length && prompts.every((one) => /\\d/.test(one.textContent)));
        }""",
        timeout=PATIENCE_MS,
    )
    page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]", timeout=PATIENCE_MS)


def failures(page):
    """The errors and warnings that cells have shown."""
    kinds = ("application/vnd.jupyter.error", "application/vnd.jupyter.stderr")
    selector = ", ".join(f'[data-mime-type="{kind}"]' for kind in kinds)
    said = page.locator(selector).all_inner_texts()
    # Once, on a new machine.
    return [text for text in said if "building the font cache" not in text]


def use_theme(page, name):
    """Choose a theme from the menu: light or dark."""
    dark = name == "dark"
    menu(page, "Settings", "Theme", f"JupyterLab {'Dark' if dark else 'Light'}")
    light = "false" if dark else "true"
    page.locator(f'body[data-jp-theme-light="{light}"]').wait_for(state="attached")


def stop_kernels(lab):
    """Give back the memory that a lesson's kernel holds."""
    headers = {"Authorization": f"token {lab.token}"}
    listing = urllib.request.Request(f"{lab.address}/api/sessions", headers=headers)
    with urllib.request.urlopen(listing, timeout=30) as answer:
        sessions = json.load(answer)
    for session in sessions:
        address = f"{lab.address}/api/sessions/{session['id']}"
        request = urllib.request.Request(address, method="DELETE", headers=headers)
        urllib.request.urlopen(request, timeout=30).close()
