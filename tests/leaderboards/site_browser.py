"""A real browser on a synthetic site: fixtures and helpers of the site's tests."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from site_data import build

sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
browses = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("hostile"), evil=True)


@pytest.fixture
def tab(browser: Any) -> Iterator[Any]:
    """A page that must write nothing to the console and ask for nothing outside its folder."""
    with watched(browser) as (found, faults):
        yield found
        assert not faults


class watched:  # noqa: N801
    def __init__(self, browser: Any, **how: Any) -> None:
        self.context = browser.new_context(**how)

    def __enter__(self) -> tuple[Any, list[str]]:
        self.context.set_default_timeout(10_000)
        found, faults = self.context.new_page(), []
        found.on("pageerror", lambda error: faults.append(str(error)))
        found.on("console", lambda told: faults.append(told.text))
        found.on("request", lambda asked: faults.append(asked.url) if outside(asked.url) else None)
        return found, faults

    def __exit__(self, *_: object) -> None:
        self.context.close()


def outside(url: str) -> bool:
    return not url.startswith(("file:///", "data:,", "about:", "http://127.0.0.1:"))


def go(tab: Any, site: Path | str, view: str = "index") -> None:
    """The page of that name, drawn."""
    name, _, state = view.partition("#")
    base = site if isinstance(site, str) else site.as_uri()
    tab.goto("about:blank")
    tab.goto(f"{base}/{name}.html" + (f"#{state}" if state else ""))
    tab.wait_for_selector("main[aria-busy=false]")


def names(tab: Any) -> list[str]:
    return list(tab.locator("table.board tbody th a").all_inner_texts())
