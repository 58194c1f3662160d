"""The page for human raters, driven in a real browser."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from review_items import ITEMS, item, lines, reading, serving

from akb.bank import readings
from akb.bank.review import page as pages
from akb.bank.review.server import Server
from akb.errors import AkbError
from akb.tasks.items import Item

sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
browses = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium")
EVIL = (
    "</script><script>window.hit = 1</script><img src=x onerror='window.hit = 2'> & &amp; \"quoted\" 'so' "
    "<!--<script> ]]> {{script}} `${window.hit = 3}` \\u003c \u2028 \u2029 \x7f javascript:alert(1)"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def tab(browser: Any) -> Iterator[Any]:
    context = browser.new_context(accept_downloads=True)
    context.set_default_timeout(10_000)
    found = context.new_page()
    faults: list[str] = []
    found.on("pageerror", lambda error: faults.append(str(error)))
    found.on("console", lambda told: faults.append(told.text) if "Content Security" in told.text else None)
    yield found
    assert not faults
    context.close()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path / "results.jsonl") as server:
        yield server


def opened(tab: Any, tmp_path: Path, items: list[Item] = ITEMS, name: str = "Ann") -> None:
    """The page as a file, with a rater."""
    path = tmp_path / "review.html"
    path.write_text(pages.make(items, 1), "utf-8")
    tab.goto(path.as_uri())
    enter(tab, name)


def enter(tab: Any, name: str) -> None:
    tab.keyboard.type(name)
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#item:not([hidden]), #done:not([hidden])")


def press(tab: Any, *keys: str) -> None:
    for key in keys:
        tab.keyboard.press(key)


def options(tab: Any) -> list[str]:
    return list(tab.locator("#options label > span").all_inner_texts())


def key_of(tab: Any, start: str) -> str:
    """The key to press for the option that begins so."""
    return "ABCD"[next(i for i, text in enumerate(options(tab)) if text.startswith(start))]


def finish(tab: Any, start: str = "right", judgement: str = "Y") -> str:
    """Both steps of the item that is shown; its question."""
    question = str(tab.inner_text("#question"))
    press(tab, key_of(tab, start), "Enter", judgement, "Enter")
    return question


def export(tab: Any, tmp_path: Path) -> Path:
    with tab.expect_download() as waiting:
        tab.click("#export")
    path = tmp_path / "export.jsonl"
    waiting.value.save_as(path)
    return path


def text(tab: Any, where: str) -> str:
    return str(tab.inner_text(where))


# -- the flow --


@browses
def test_by_keyboard_alone(tab: Any, tmp_path: Path) -> None:
    opened(tab, tmp_path, name="  Ann   O'Hara ")
    wrong = ITEMS[int(text(tab, "#question").split()[-1][:-1])]
    assert "Because" not in tab.evaluate("document.querySelector('main').outerHTML")
    press(tab, "Enter")
    assert "Choose an option" in text(tab, "#say")
    press(tab, key_of(tab, "wrong"), "F", "t")
    tab.keyboard.type("sq 1 abc")  # what is typed is no key
    press(tab, "Backspace", "ArrowLeft", "Enter")
    assert "The key is" in text(tab, "#outcome")
    assert text(tab, "#rationale").startswith("Because of")
    assert "Book" in text(tab, "#sources")
    before = tab.locator("[name=pick]:checked").get_attribute("value")
    press(tab, "1", "2", "Q", "S", "Enter")  # the blind answer stands
    assert tab.locator("[name=pick]:checked").get_attribute("value") == before
    assert "Accept, reject or mend" in text(tab, "#say")
    press(tab, "m", "Enter")
    assert "what is to be mended" in text(tab, "#say")
    tab.keyboard.type("an y")
    press(tab, "Enter")
    second = text(tab, "#question")
    press(tab, "W", "G", "Enter", "N", "Enter")
    for _ in range(3):
        finish(tab)
    press(tab, "e", "q", "Enter", "y", "Enter")
    assert "All items are done" in text(tab, "#end")
    assert text(tab, "#counts") == "6 of 6 done: 4 accepted, 1 rejected, 1 to mend"
    found = {one.item: one for one in readings.read([export(tab, tmp_path)])}
    assert len(found) == 6
    first = found[wrong.id]
    assert (first.by, first.sure, first.note) == ("Ann O'Hara", "fairly", "sq 1 ab")
    assert first.answer == int(before) != 0
    assert (first.judgement, first.comment) == ("mend", "an y")
    other = found[f"item-{second.split()[-1][:-1]}"]
    assert (other.answer, other.verdict, other.sure, other.judgement) == (None, "none right", "guess", "rejected")
    assert sum(one.agrees for one in found.values()) == 3
    assert sum(one.verdict == "ambiguous" for one in found.values()) == 1


@browses
def test_by_mouse_alone(tab: Any, tmp_path: Path) -> None:
    opened(tab, tmp_path)
    tab.get_by_label("right", exact=False).first.click()
    tab.get_by_label("Fairly").click()
    tab.click("#confirm")
    assert text(tab, "#outcome") == "Your answer is the key."
    tab.get_by_label("Accept Y").click()
    tab.click("#confirm")
    assert text(tab, "#number") == "Item 2 of 6"
    tab.click("#back")
    assert tab.evaluate("document.getElementById('picks').disabled")
    tab.click("#forward")
    assert text(tab, "#number") == "Item 2 of 6"
    assert tab.locator("#forward").is_disabled()
    (one,) = readings.read([export(tab, tmp_path)])
    assert (one.answer, one.sure, one.judgement) == (0, "fairly", "accepted")


@browses
def test_enter_on_a_button_is_the_buttons(tab: Any, tmp_path: Path) -> None:
    opened(tab, tmp_path)
    finish(tab)
    press(tab, "2")
    tab.focus("#back")
    press(tab, "Enter")
    assert text(tab, "#number") == "Item 1 of 6"
    press(tab, "ArrowRight")
    assert not tab.evaluate("document.getElementById('picks').disabled")  # item 2 was not confirmed


@browses
def test_going_back_changes_the_judgement_only(tab: Any, tmp_path: Path) -> None:
    opened(tab, tmp_path)
    first = finish(tab, "wrong")
    finish(tab)
    press(tab, "ArrowLeft", "Backspace")
    assert text(tab, "#question") == first
    press(tab, "ArrowLeft", "A", "B", "C", "D", "N", "Enter", "ArrowRight", "ArrowRight")
    assert text(tab, "#number") == "Item 3 of 6"
    found = readings.read([export(tab, tmp_path)])
    assert {(one.answer == 0, one.judgement) for one in found} == {(False, "rejected"), (True, "accepted")}


@browses
def test_a_reload_loses_nothing(tab: Any, tmp_path: Path) -> None:
    opened(tab, tmp_path)
    first, order = finish(tab), options(tab)
    press(tab, "3", "G", "T")
    tab.keyboard.type("half a no")
    tab.reload()
    assert (text(tab, "#number"), options(tab)) == ("Item 2 of 6", order)
    chosen = tab.locator("#options label:has(:checked) > span").inner_text()
    assert chosen == order[2]
    assert tab.locator("[name=sure]:checked").get_attribute("value") == "guess"
    assert tab.input_value("#note") == "half a no"
    press(tab, "Enter", "M")
    tab.keyboard.type("half a comm")
    tab.reload()  # between the steps
    assert tab.evaluate("document.getElementById('picks').disabled")
    assert tab.input_value("#comment") == "half a comm"
    press(tab, "Enter")
    tab.reload()
    assert text(tab, "#number") == "Item 3 of 6"
    press(tab, "ArrowLeft", "ArrowLeft")
    assert text(tab, "#question") == first
    found = {one.judgement: one for one in readings.read([export(tab, tmp_path)])}
    assert (found["mend"].note, found["mend"].comment, found["mend"].sure) == ("half a no", "half a comm", "guess")


@browses
def test_only_the_blind_step(tab: Any, tmp_path: Path) -> None:
    opened(tab, tmp_path)
    press(tab, "E", "Enter")
    (one,) = readings.read([export(tab, tmp_path)])
    assert (one.verdict, one.answer, one.judgement) == ("more than one", None, "")


@browses
def test_two_raters(tab: Any, tmp_path: Path) -> None:
    opened(tab, tmp_path)
    anns = [finish(tab) for _ in ITEMS]
    tab.click("#switch")
    assert "Ann" not in text(tab, "body")
    enter(tab, "Ben")
    assert text(tab, "#counts").startswith("0 of 6")
    bens = [finish(tab, "wrong", "N") for _ in ITEMS]
    assert sorted(anns) == sorted(bens)
    assert anns != bens
    path = export(tab, tmp_path)
    found = readings.read([path])
    assert [(one.by, one.agrees) for one in found] == [("Ann", True)] * 6 + [("Ben", False)] * 6
    total = next(readings.agreements(found))
    assert (total.items, total.twice, total.key, total.raw) == (6, 6, 0.5, 0.0)
    tab.click("#switch")
    enter(tab, "Ann")
    assert text(tab, "#counts").startswith("6 of 6 done: 6 accepted")


@browses
def test_orders_are_shuffled_evenly_and_indices_stay_the_items(tab: Any, tmp_path: Path) -> None:
    many = [item(number, answer=number % 4) for number in range(60)]
    opened(tab, tmp_path, many)
    places = Counter[int]()
    for _ in many:
        number = int(text(tab, "#question").split()[-1][:-1])
        wanted = many[number].options[many[number].answer]
        places[options(tab).index(wanted)] += 1
        press(tab, key_of(tab, wanted), "Enter", "Y", "Enter")
    assert all(6 <= places[place] <= 24 for place in range(4)), places
    found = readings.read([export(tab, tmp_path)])
    assert [one.answer for one in found] == [number % 4 for number in range(60)]
    assert all(one.agrees for one in found)


# -- what must not happen --


@browses
def test_html_in_an_item_is_text(tab: Any, tmp_path: Path) -> None:
    evil = item(0, question=EVIL, options=[EVIL + "0", EVIL + "1", "c", "d"], rationale=EVIL, dialect=EVIL,
                sources=[{"kind": "general", "ref": EVIL}, {"kind": "read", "ref": "javascript:hit=4"}])  # fmt: skip
    opened(tab, tmp_path, [evil], name="<img src=x onerror=hit=5>")
    assert tab.text_content("#question") == EVIL
    assert EVIL + "1" in tab.locator("#options label > span").all_text_contents()
    press(tab, "1", "Enter", "M")
    tab.keyboard.insert_text(EVIL)
    assert tab.text_content("#rationale") == EVIL
    assert EVIL in (tab.text_content("#sources") or "")
    press(tab, "Enter")
    tab.reload()
    press(tab, "ArrowLeft")
    assert tab.input_value("#comment") == EVIL
    assert tab.evaluate("window.hit") is None
    assert tab.locator("img, main script, main a").count() == 0
    (one,) = readings.read([export(tab, tmp_path)])
    assert one.comment == EVIL


@browses
def test_the_policy_stops_what_gets_in_nonetheless(browser: Any, tmp_path: Path) -> None:
    tab = browser.new_page()
    opened(tab, tmp_path)
    tab.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.hit = 1\">')")
    tab.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.hit = 2'}))"
    )
    assert tab.evaluate("fetch('http://127.0.0.1:9/').then(() => 'sent', () => 'stopped')") == "stopped"
    assert tab.evaluate("window.hit") is None
    tab.close()


def test_the_page_is_one_file_and_names_no_other() -> None:
    evil, html = pages.make([item(0, question=EVIL)], 1), pages.make(ITEMS, 1)
    assert evil.count("</script>") == html.count("</script>") == 2
    assert "<img" not in evil
    assert not [found for found in ("src=", "href=", "@import", "url(", "innerHTML", "eval(") if found in html]
    assert "connect-src" not in html
    assert "connect-src 'self'" in pages.make(ITEMS, 1, served=True)
    with pytest.raises(AkbError, match="twice: item-0"):
        pages.make([item(0), item(0)], 1)


@browses
@pytest.mark.parametrize("how", ["get localStorage() { throw new DOMException('no', 'SecurityError') }",
                                 "get localStorage() { return null }"])  # fmt: skip
def test_without_storage(tab: Any, tmp_path: Path, how: str) -> None:
    tab.add_init_script(f"Object.defineProperties(window, Object.getOwnPropertyDescriptors({{ {how} }}))")
    opened(tab, tmp_path)
    assert "keeps nothing" in text(tab, "#warning")
    finish(tab)
    tab.click("#switch")
    enter(tab, "Ben")
    finish(tab)
    tab.click("#switch")
    enter(tab, "Ann")
    assert text(tab, "#number") == "Item 2 of 6"
    assert len(readings.read([export(tab, tmp_path)])) == 2


@browses
def test_storage_that_is_full(tab: Any, tmp_path: Path) -> None:
    opened(tab, tmp_path)
    finish(tab)
    tab.evaluate("void (Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError') })")
    finish(tab)
    assert "keeps nothing" in text(tab, "#warning")
    assert len(readings.read([export(tab, tmp_path)])) == 2


@browses
def test_an_exported_file_is_taken_up_again(browser: Any, tab: Any, tmp_path: Path) -> None:
    opened(tab, tmp_path)
    finish(tab)
    press(tab, "Q", "Enter")
    path = export(tab, tmp_path)
    kept = path.read_text("utf-8")
    path.write_text(kept + "no JSON\n" + json.dumps(reading(version=7)) + '\n"text"\n' + kept, "utf-8")
    fresh = browser.new_context().new_page()
    opened(fresh, tmp_path)
    fresh.set_input_files("#file", path)
    fresh.wait_for_selector("#say:has-text('taken up')")
    assert text(fresh, "#say") == "2 answers taken up, 2 were here already, 3 do not belong to this page."
    assert text(fresh, "#counts").startswith("1 of 6")
    assert export(fresh, tmp_path).read_text("utf-8") == kept
    fresh.context.close()


# -- served --


@browses
def test_each_step_is_saved_at_once(tab: Any, served: Server, tmp_path: Path) -> None:
    tab.goto(served.url)
    enter(tab, "Ann")
    press(tab, key_of(tab, "wrong"), "Enter")
    tab.wait_for_selector("#saved:text-is('Saved')")
    (blind,) = lines(tmp_path / "results.jsonl")
    assert (blind["judgement"], blind["answer"] > 0) == ("", True)
    press(tab, "N", "Enter")
    finish(tab)
    tab.wait_for_selector("#saved:text-is('Saved')")
    assert len(lines(tmp_path / "results.jsonl")) == 4
    found = readings.read([tmp_path / "results.jsonl"])
    assert [(one.agrees, one.judgement) for one in found] == [(False, "rejected"), (True, "accepted")]
    assert all(one.about(next(item for item in ITEMS if item.id == one.item)) for one in found)
    assert sorted(map(str, found)) == sorted(map(str, readings.read([export(tab, tmp_path)])))


@browses
def test_what_cannot_be_sent_is_sent_later(tab: Any, served: Server, tmp_path: Path) -> None:
    tab.goto(served.url)
    enter(tab, "Ann")
    tab.context.set_offline(True)
    finish(tab)
    finish(tab)
    tab.wait_for_selector("#saved:text-is('2 not saved yet')")
    assert lines(tmp_path / "results.jsonl") == []
    tab.context.set_offline(False)
    tab.wait_for_selector("#saved:text-is('Saved')")
    assert len(lines(tmp_path / "results.jsonl")) == 2


@browses
def test_another_browser_goes_on_from_the_server(browser: Any, tab: Any, served: Server) -> None:
    tab.goto(served.url)
    enter(tab, "Ann")
    finish(tab)
    tab.wait_for_selector("#saved:text-is('Saved')")
    fresh = browser.new_context().new_page()
    fresh.goto(served.url)
    enter(fresh, "Ann")
    fresh.wait_for_selector("#number:text-is('Item 2 of 6')")
    fresh.context.close()


@browses
def test_what_the_server_refuses_is_told(tab: Any, served: Server) -> None:
    tab.goto(served.url)
    enter(tab, "Ann")
    served.number = 2
    press(tab, "Q", "Enter")
    tab.wait_for_selector("#saved:text-is('Refused by the server: round: 2 is wanted')")
    served.number = 1
    tab.on("dialog", lambda dialog: dialog.accept())
    tab.reload()
    tab.wait_for_selector("#saved:text-is('Saved')")


@browses
def test_many_options_and_another_keyboard(tab: Any, tmp_path: Path) -> None:
    opened(tab, tmp_path, [item(0, options=[f"option {number}" for number in range(6)], answer=5, id="constructor")])
    assert tab.locator("#options kbd").all_inner_texts() == list("123456")
    press(tab, "6")
    last = int(options(tab)[5].split()[1])
    # keys of a Russian keyboard: the place counts
    for key, code in (("а", "KeyF"), ("ц", "KeyW")):
        tab.evaluate(f"document.body.dispatchEvent(new KeyboardEvent('keydown', "
                     f"{{key: '{key}', code: '{code}', bubbles: true}}))")  # fmt: skip
    assert tab.locator("[name=sure]:checked").get_attribute("value") == "fairly"
    assert tab.locator("[name=pick]:checked").get_attribute("value") == "none right"
    press(tab, "6", "Enter", "Y", "Enter")
    (one,) = readings.read([export(tab, tmp_path)])
    assert (one.item, one.answer, one.key) == ("constructor", last, 5)


@browses
def test_a_rater_in_two_tabs(tab: Any, tmp_path: Path) -> None:
    opened(tab, tmp_path)
    second = tab.context.new_page()
    second.goto(tab.url)
    finish(tab)
    second.wait_for_selector("#counts:text-matches('^1 of 6')")
    assert len(readings.read([export(second, tmp_path)])) == 1
    second.close()
