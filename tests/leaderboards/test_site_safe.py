"""What must not happen on the site: script in data, requests that leave, pages that cannot be read or reached."""

# ruff: noqa: F811
from __future__ import annotations

import functools
import http.server
import re
import threading
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from site_browser import browser, browses, go, hostile, names, site, tab, watched  # noqa: F401
from site_data import EVIL, PAGES, build

_FOUND = find_spec("axe_playwright_python")  # it brings axe-core's script
AXE = Path(_FOUND.origin).parent / "axe.min.js" if _FOUND is not None and _FOUND.origin else Path("no axe")
NAMES = ("index", "model", "item", "task", "correlation", "methods")
VIEWS = ("index", "model#m=model-3&vs=model-5", "item#task=mmau&i=3", "task", "correlation", "methods")


# -- what must not happen --


@browses
def test_data_are_text(tab: Any, hostile: Path) -> None:
    go(tab, hostile)
    assert EVIL in names_raw(tab, "table.board tbody th a")
    tab.locator("table.board summary").first.click()
    assert EVIL in names_raw(tab, "table.board .flags li")
    tab.locator("table.board .settings").nth(1).click()
    tab.wait_for_selector("dialog[open]")  # it asks for the model's file first
    assert EVIL in names_raw(tab, "dialog td")
    go(tab, hostile, "model#m=model-1")
    assert tab.text_content("h1") == EVIL
    assert tab.locator("#facts a").count() == 0  # javascript: is no link
    go(tab, hostile, "model#m=model-2")
    assert "has no result" in tab.inner_text("#problem")
    go(tab, hostile, "item#task=akb-open&i=0")
    assert tab.text_content("#question") == EVIL
    assert tab.locator("#options .text").nth(1).text_content().startswith(EVIL + "1")
    assert EVIL in names_raw(tab, "#answers .said")
    assert tab.locator("audio").count() == 1
    assert tab.locator("#audio a").all_inner_texts() == ["https://example.org/y.wav", "audio/0.wav"]
    go(tab, hostile, "task")
    assert EVIL in names_raw(tab, "#table tbody th a")
    go(tab, hostile, "correlation")
    assert tab.text_content("#sentence") == EVIL
    for view in VIEWS:
        go(tab, hostile, view)
        assert tab.evaluate("window.hit") is None
        assert tab.locator("main img, main script, main iframe").count() == 0
        assert tab.locator("a[href^='javascript']").count() == 0


def names_raw(tab: Any, where: str) -> list[str]:
    return list(tab.locator(where).all_text_contents())


@browses
@pytest.mark.parametrize("state", [f"m={EVIL}", f"col={EVIL}&sort={EVIL}&family={EVIL}&q={EVIL}", "sort=.&size=x-y"])
def test_a_hostile_address(tab: Any, site: Path, state: str) -> None:
    for name in NAMES:
        go(tab, site, f"{name}#{state}&task=__proto__&x=constructor")
        assert tab.evaluate("window.hit") is None
        assert tab.locator("main img, main script").count() == 0


@browses
def test_the_policy_stops_what_gets_in_nonetheless(browser: Any, site: Path) -> None:
    tab = browser.new_page()
    go(tab, site)
    tab.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.hit = 1\">')")
    tab.evaluate("document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.hit=2'}))")
    assert tab.evaluate("fetch('http://127.0.0.1:9/').then(() => 'sent', () => 'stopped')") == "stopped"
    away = "new Promise(tell => { const s = document.createElement('script'); s.src = 'https://example.org/x.js'; "
    assert tab.evaluate(away + "s.onerror = () => tell('stopped'); s.onload = () => tell('ran'); "
                        "document.head.append(s) })") == "stopped"  # fmt: skip
    assert tab.evaluate("window.hit") is None
    tab.close()


def test_nothing_is_read_as_html_and_nothing_is_elsewhere() -> None:
    sources = {path.name: path.read_text("utf-8") for path in PAGES.rglob("*") if path.is_file()}
    assert {f"{name}.html" for name in NAMES} <= set(sources)
    for name, text in sources.items():
        bad = re.findall(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|@import|url\(", text
        )
        assert not bad, (name, bad)
        assert re.findall(r"https?://[^\"]*", text) in ([], ["http://www.w3.org/2000/svg"]), name
        if name.endswith(".html"):
            assert "default-src 'none'" in text
            assert not re.search(r"<script>|<style|\son\w+=|style=", text)


@browses
@pytest.mark.parametrize(
    ("gone", "view", "told"),
    [
        ("board", "index", "data/board.js is missing"),
        ("board", "methods", "data/board.js is missing"),
        ("models/model-3", "model#m=model-3", "data/models/model-3.js is missing"),
        ("items/mmau/1", "item#task=mmau&i=150", "data/items/mmau/1.js is missing"),
        ("items/mmau/1", "task#task=mmau", "data/items/mmau/1.js is missing"),
        ("correlation", "correlation", "shows no correlations"),
        ("methods", "methods", "data/methods.js is missing"),
    ],
)
def test_a_missing_file_is_named(browser: Any, tmp_path: Path, gone: str, view: str, told: str) -> None:
    folder = build(tmp_path / "site")
    (folder / "data" / f"{gone}.js").unlink()
    with watched(browser) as (tab, _):
        if gone in ("board",):
            tab.goto(f"{folder.as_uri()}/{view}.html")
            tab.wait_for_selector("#problem:not([hidden])")
        else:
            go(tab, folder, view)
        assert told in tab.inner_text("#problem")


@browses
def test_a_damaged_file_is_named(browser: Any, tmp_path: Path) -> None:
    folder = build(tmp_path / "site")
    (folder / "data" / "methods.js").write_text("akbData('methods', {", "utf-8")
    with watched(browser) as (tab, _):
        go(tab, folder, "methods")
        assert "damaged" in tab.inner_text("#problem")


# -- how it looks and how it is reached --


@browses
def test_light_and_dark(browser: Any, site: Path) -> None:
    back = "getComputedStyle(document.body).backgroundColor"
    for scheme in ("light", "dark"):
        with watched(browser, color_scheme=scheme) as (tab, faults):
            go(tab, site)
            first = tab.evaluate(back)
            assert (sum(map(int, re.findall(r"\d+", first))) < 200) == (scheme == "dark")
            tab.click("#theme")
            second = tab.evaluate(back)
            assert second != first
            go(tab, site, "methods")
            assert tab.evaluate(back) == second  # kept
            tab.click("#theme")
            assert tab.evaluate(back) == first
            assert not faults


@browses
@pytest.mark.parametrize("how", ["get localStorage() { throw new DOMException('no', 'SecurityError') }",
                                 "get localStorage() { return null }"])  # fmt: skip
def test_without_storage(tab: Any, site: Path, how: str) -> None:
    tab.add_init_script(f"Object.defineProperties(window, Object.getOwnPropertyDescriptors({{ {how} }}))")
    go(tab, site)
    assert len(names(tab)) == 12
    tab.click("#theme")
    assert tab.evaluate("document.documentElement.dataset.theme") == "dark"


@browses
def test_narrow(browser: Any, site: Path, hostile: Path) -> None:
    with watched(browser, viewport={"width": 360, "height": 740}) as (tab, faults):
        for folder in (site, hostile):
            for view in VIEWS:
                go(tab, folder, view)
                assert tab.evaluate("document.documentElement.scrollWidth") <= 360, view
        assert not faults


BOXES = "all => all.map(one => [one, one.closest('.scroll, .plotbox')].map(node => node.getBoundingClientRect()))"


@browses
def test_plots_fit_and_long_names_hide_no_result(browser: Any, hostile: Path) -> None:
    with watched(browser, viewport={"width": 1400, "height": 740}) as (tab, faults):
        for view, cells in (("index", "#neighbours .value"), ("model#m=model-3&vs=model-5", "#versus .value")):
            go(tab, hostile, view)
            shown = tab.locator(cells).evaluate_all(BOXES)
            assert all(one["left"] < box["right"] - 40 for one, box in shown), view
            assert shown
        assert tab.evaluate(f"({FIT})('#categories svg.plot')") == pytest.approx(1, abs=0.06)  # letters keep their size
        tab.set_viewport_size({"width": 380, "height": 740})
        tab.wait_for_selector("#categories svg.plot[viewBox^='0 0 3']")  # drawn anew
        inside(tab, "#categories")
        go(tab, hostile, "correlation")
        inside(tab, "#scatter")
        assert not faults


def inside(tab: Any, plot: str) -> None:
    drawn = tab.locator(f"{plot} svg.plot :is(.point, .dot, .whisker, .error, text)").evaluate_all(BOXES)
    assert len(drawn) > 20
    assert all(box["left"] <= one["left"] and one["right"] <= box["right"] for one, box in drawn)
    assert tab.evaluate(f"({FIT})('{plot} svg.plot')") == pytest.approx(1, abs=0.06)


FIT = "where => { const one = document.querySelector(where); return one.viewBox.baseVal.width / one.clientWidth; }"


@browses
def test_by_keyboard(tab: Any, site: Path) -> None:
    go(tab, site, "index#family=Qwen")
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.id") == "skip"
    tab.keyboard.press("Enter")
    assert tab.evaluate("document.activeElement.id") == "main"
    assert "family=Qwen" in tab.url  # the view is not lost
    seen = []
    for _ in range(40):
        tab.keyboard.press("Tab")
        seen.append(tab.evaluate("document.activeElement.textContent.trim() || document.activeElement.id"))
        lined = tab.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert lined != "none" or seen[-1].startswith("akb"), seen[-1]
    for wanted in ("q", "Clear filters", "Settings"):
        assert wanted in seen
    for view in VIEWS:
        go(tab, site, view)
        levels = tab.locator("main :is(h1, h2, h3)").evaluate_all("all => all.map(one => +one.tagName[1])")
        assert levels[0] == 1
        assert all(b - a <= 1 for a, b in pairwise(levels)), (view, levels)
        assert levels.count(1) == 1


@browses
@pytest.mark.skipif(not AXE.exists(), reason="needs axe-playwright-python")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser: Any, site: Path, scheme: str) -> None:
    with watched(browser, color_scheme=scheme, viewport={"width": 360, "height": 740}) as (tab, faults):
        for view in VIEWS:
            go(tab, site, view)
            tab.evaluate(AXE.read_text("utf-8"))
            found = tab.evaluate("axe.run({ preload: false })")
            assert len(found["passes"]) > 10
            bad = [(view, one["id"], one["nodes"][0]["html"]) for one in found["violations"]
                   if one["impact"] in ("serious", "critical")]  # fmt: skip
            assert not bad
        assert not faults


# -- served, and large --


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing."""


@browses
def test_over_http(tab: Any, site: Path) -> None:
    handler = functools.partial(Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for view in VIEWS:
            go(tab, f"http://127.0.0.1:{server.server_port}", view)
            assert tab.locator("#problem").is_hidden()
        server.shutdown()


@browses
@pytest.mark.slow
def test_fifty_models_and_two_thousand_items(browser: Any, tmp_path: Path) -> None:
    folder = build(tmp_path / "site", models=50, items=2000, columns=1)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
    took = {}
    with watched(browser) as (tab, faults):
        for view in ("index", "model", "item", "task"):
            go(tab, folder, view)
            took[view] = min(drawn(tab, folder, view) for _ in range(3))
        go(tab, folder)
        assert len(names(tab)) == 50
        assert not faults
    print(f"folder {size:.1f} MB; seconds to a drawn page: {took}")
    assert took["index"] < 1
    assert size < 10


def drawn(tab: Any, folder: Path, view: str) -> float:
    """Seconds from the start of the visit until everything is drawn, by the browser's clock."""
    tab.goto("about:blank")
    tab.goto(f"{folder.as_uri()}/{view}.html", wait_until="commit")
    tab.wait_for_selector("main[aria-busy=false]")
    mark = "new Promise(done => setTimeout(() => done(performance.getEntriesByName('drawn')[0].startTime), 50))"
    return round(float(tab.evaluate(mark)) / 1000, 2)
