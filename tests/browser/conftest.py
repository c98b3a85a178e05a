"""A real browser, with the network closed."""

import shutil

import pytest

NAMES = "chromium", "chromium-browser", "google-chrome"


@pytest.fixture(scope="session")
def browser():
    """Chromium, driven by Playwright; skipped where none is installed."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip("no Chromium here: apt install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox"]
        )
        yield started
        started.close()
