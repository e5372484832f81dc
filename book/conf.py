"""Sphinx's settings for the book; `python -m book` assembles the sources and calls Sphinx."""

import hashlib
import importlib
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import tinyml_helpers  # noqa: E402

# A stand-in for a class of a framework must take part in `A | B`.
stand_in = importlib.import_module("sphinx.ext.autodoc.mock")._MockObject
stand_in.__or__ = stand_in.__ror__ = lambda self, other: self

project = "TinyML, measured"
author = "the authors of the course"
project_copyright = author
release = tinyml_helpers.__version__
language = "en"  # `python -m book --language de` gives another, and its catalogues
gettext_compact = False

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_design",
    "sphinx_copybutton",
    "book.docstrings",
    "book.lessons",
    "book.links_to_terms",
    "book.mathml",
]
code = b"".join(path.read_bytes() for path in sorted((ROOT / "book").glob("*.py")))
book_code = hashlib.sha256(code).hexdigest()
exclude_patterns = ["_static", "data/LICENSES"]

# Lessons: what they hold is shown, nothing is run.
nb_execution_mode = "off"
nb_merge_streams = True
nb_ipywidgets_js: dict[str, dict[str, str]] = {}
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3
myst_links_external_new_tab = False
myst_fence_as_directive: list[str] = []
suppress_warnings = ["myst.strikethrough"]

# The reference: docstrings are read, frameworks are not loaded.
autodoc_mock_imports = [
    "torch", "torchvision", "torchao", "torch_pruning", "tensorflow", "keras", "transformers",
    "pandas", "matplotlib", "scipy", "sklearn", "opacus", "onnx", "onnxruntime", "tvm",
]  # fmt: skip
autosummary_ignore_module_all = False  # what a package hands on
templates_path = [str(ROOT / "book" / "templates")]
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
napoleon_numpy_docstring = False
napoleon_use_rtype = False
default_role = "code"
add_module_names = False
python_maximum_signature_line_length = 90
toc_object_entries_show_parents = "hide"

html_theme = "pydata_sphinx_theme"
html_title = project
html_static_path = [str(ROOT / "book" / "static")]
html_css_files = ["book.css"]
html_js_files = ["offline.js", "sliders.js"]
html_favicon = "static/logo.svg"
html_math_renderer = "mathml"
html_copy_source = False
html_show_sourcelink = False
html_use_index = True
html_domain_indices = False
html_last_updated_fmt = None
alone = (
    "index", "try_it", "glossary", "devices", "own_recordings", "scoreboard", "how_tested",
    "data/README",
)  # fmt: skip
html_sidebars: dict[str, list[str]] = {page: [] for page in alone}
html_context = {"default_mode": "auto"}
html_theme_options = {
    "logo": {"text": project, "image_light": "_static/logo.svg", "image_dark": "_static/logo.svg",
             "alt_text": "TinyML, measured: start page"},
    "header_links_before_dropdown": 6,
    "navbar_align": "left",
    "navbar_end": ["theme-switcher"],
    "navbar_persistent": ["search-button"],
    "show_toc_level": 2,
    "navigation_depth": 2,
    "collapse_navigation": True,
    "show_prev_next": True,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}  # fmt: skip
copybutton_selector = "div.cell_input div.highlight pre, div.highlight-sh pre"
