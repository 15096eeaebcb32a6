"""A real browser without a window, where there is one: Chromium or one of its kin."""

import os
import shutil
import subprocess
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "headless_shell", "msedge")
PLAYWRIGHTS = (
    "chromium-*/chrome-linux*/chrome",
    "chromium_headless_shell-*/chrome-*/*headless[-_]shell",
    "chromium-*/chrome-mac*/Chromium.app/Contents/MacOS/Chromium",
)
NONE = "no headless browser (chromium, chrome) was found: the report was NOT tested in one"


def find():
    """The path of a browser, on PATH or where Playwright keeps its own; None if there is none."""
    homes = [os.environ.get("PLAYWRIGHT_BROWSERS_PATH"), "~/.cache/ms-playwright", "~/Library/Caches/ms-playwright"]
    kept = (f for home in homes if home for p in PLAYWRIGHTS for f in sorted(Path(home).expanduser().glob(p)))
    return next(filter(None, map(shutil.which, NAMES)), None) or next(map(str, kept), None)


def run(url, folder, *options):
    """What the browser prints, with a new profile in a folder."""
    command = [find(), "--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    command += ["--disable-component-update", "--disable-sync", "--disable-quic", "--hide-scrollbars"]
    command += [f"--user-data-dir={folder}", *options, url]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.insert(1, "--no-sandbox")  # it refuses to run as root with one
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout


def pytest_terminal_summary(terminalreporter):
    """Say it aloud at the end of a run; conftest.py takes this in."""
    if any(NONE in str(report.longrepr) for report in terminalreporter.stats.get("skipped", [])):
        terminalreporter.section("NO BROWSER", sep="!", red=True, bold=True)
        terminalreporter.line(NONE)
