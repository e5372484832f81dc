"""What axe finds that keeps people from using a page."""

from axe_playwright_python.sync_playwright import Axe


def violations(page, part=None, ignore=()):
    """The serious and critical findings in a page, or in the part that a CSS selector names.

    Returns:
        "rule: count x what is wrong: the first element's HTML", one for each rule.
    """
    # A colour half-way between two themes is nobody's to read.
    page.wait_for_function(
        "!document.getAnimations().some((a) => a instanceof CSSTransition && a.playState === 'running')"
    )
    found = (
        Axe().run(page, context=part, options={"resultTypes": ["violations"], "preload": False}).response
    )
    return [
        f"{one['id']}: {len(one['nodes'])} x {one['help']}: {one['nodes'][0]['html'][:200]}"
        for one in found["violations"]
        if one["impact"] in {"serious", "critical"} and one["id"] not in ignore
    ]


def overflows(page):
    """Whether the page must be scrolled sideways, and what sticks out."""
    return page.evaluate(
        """() => {
            const wide = document.documentElement.clientWidth;
            if (document.documentElement.scrollWidth <= wide + 1) return "";
            const out = [...document.querySelectorAll("body *")].filter(
                (one) => one.getBoundingClientRect().right > wide + 1);
            return `${document.documentElement.scrollWidth} px on ${wide}: `
                + out.slice(0, 5).map((one) => `${one.tagName}.${one.className}`).join(", ");
        }"""
    )
