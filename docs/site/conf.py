"""Sphinx's settings for the web site. `make site` runs it, without a network."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

project = "Image classification, from SIFT to ViT"
author = "the authors of the course"
copyright = "2026, the authors of the course; code BSD 3-Clause, text CC BY 4.0"
language = "en"
exclude_patterns = ["**/.ipynb_checkpoints"]
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx_copybutton",
    "sphinx_design",
    "mathml",
    "docstrings",
]

nb_execution_mode = "off"  # the outputs are the stored ones; nbval keeps them true
nb_merge_streams = True
nb_ipywidgets_js = {}  # no kernel: a slider goes through stored pictures
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3
html_math_renderer = "mathml"

default_role = "code"
autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
add_module_names = False
suppress_warnings = ["mystnb.unknown_mime_type", "config.cache"]

# where the repository lies, for the buttons of Colab, Binder and the sources
repository = os.environ.get("COURSE_REPOSITORY", "").rstrip("/")
html_theme = "sphinx_book_theme"
html_title = project
html_static_path = ["static"]
html_css_files = ["course.css"]
html_js_files = ["frames.js"]
html_context = {"default_mode": "auto"}
html_show_sourcelink = False
html_show_search_summary = False  # it fetches each page found: no page of a folder may
html_theme_options = {
    "home_page_in_toc": True,
    "navbar_persistent": [],
    "show_navbar_depth": 1,
    "show_toc_level": 2,
    "use_download_button": True,
    "use_fullscreen_button": False,
    "navigation_with_keys": True,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
if repository:
    html_theme_options |= {
        "repository_url": repository,
        "repository_branch": os.environ.get("COURSE_BRANCH", "main"),
        "use_repository_button": True,
        "use_issues_button": True,
        "launch_buttons": {
            "binderhub_url": os.environ.get("COURSE_BINDER", "https://mybinder.org"),
            "colab_url": os.environ.get(
                "COURSE_COLAB", "https://colab.research.google.com"
            ),
            "notebook_interface": "jupyterlab",
        },
    }
