"""The page for human raters, driven in a real browser, and the server that takes its results."""

from __future__ import annotations

import http.client
import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from akb.bank import readings
from akb.bank.canary import CANARY
from akb.bank.review import page as pages
from akb.bank.review.server import LARGEST, Server
from akb.errors import AkbError
from akb.tasks.items import Item

sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
browses = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium")
EVIL = (
    "</script><script>window.hit = 1</script><img src=x onerror='window.hit = 2'> & &amp; \"quoted\" 'so' "
    "<!--<script> ]]> {{script}} `${window.hit = 3}` \\u003c \u2028 \u2029 \x7f javascript:alert(1)"
)


def item(number: int, **values: Any) -> Item:
    row: dict[str, Any] = {
        "id": f"item-{number}", "version": 1 + number % 2, "category": "music" if number % 2 else "phonetic",
        "subcategory": "pitch", "question": f"Which is right in question {number}?",
        "options": [f"right {number}", f"wrong {number}a", f"wrong {number}b", f"wrong {number}c"], "answer": 0,
        "kind": "authored", "template_id": "", "sources": [{"kind": "general", "ref": f"Book {number}"}],
        "rationale": f"Because of {number}.", "dialect": "", "reviews": [], "check": None, "canary": CANARY,
    }  # fmt: skip
    return Item.model_validate(row | values)


ITEMS = [item(number) for number in range(6)]


def reading(number: int = 0, **values: Any) -> dict[str, Any]:
    one = ITEMS[number]
    return {"round": 1, "item": one.id, "version": one.version, "category": one.category, "by": "Ann", "kind": "human",
            "blind": True, "date": "2026-11-21", "answer": 0, "key": 0, "verdict": "clear", "sure": "sure",
            "canary": CANARY, **values}  # fmt: skip


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


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
    server = Server(ITEMS, 1, tmp_path / "results.jsonl")
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join(5)


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
    tab.get_by_label("Accept").click()
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
    fresh.wait_for_function("document.getElementById('say').textContent.includes('taken up')")
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


def call(server: Server, method: str = "POST", path: str = "results", body: bytes | None = None,
         **headers: str) -> tuple[int, Any]:  # fmt: skip
    """Status and JSON (or text) of a reply; by default a reading is posted as the page does."""
    at = urlsplit(server.url)
    told = {"Content-Type": "application/json", "Origin": f"http://{at.netloc}"}
    told |= {name.replace("_", "-"): value for name, value in headers.items()}
    content = json.dumps(reading()).encode() if body is None else body
    connection = http.client.HTTPConnection(at.netloc, timeout=10)
    where = path if path.startswith("/") else at.path + path
    connection.request(method, where, content if method == "POST" else None, told)
    reply = connection.getresponse()
    raw = reply.read().decode()
    return reply.status, json.loads(raw) if reply.headers["Content-Type"] == "application/json" else raw


def test_only_who_has_the_address_is_served(served: Server, tmp_path: Path) -> None:
    for path in ("/", "/wrong/", "/wrong/results", f"/{served.token}", f"/{served.token}x/", "/%20/", "//", "/%C3%A9/"):
        for method in ("GET", "POST"):
            status, told = call(served, method, path)
            assert (status, set(told)) == (404, {"error"}), path
    for host in (
        "evil.example",
        f"evil.example:{served.server_port}",
        "127.0.0.1",
        f"127.0.0.1:{served.server_port}.e",
    ):
        assert call(served, "GET", "", Host=host)[0] == 403
        assert call(served, Host=host, Origin=f"http://{host}")[0] == 403
    for origin in ("http://evil.example", "null", "", f"https://127.0.0.1:{served.server_port}", "http://127.0.0.1"):
        assert call(served, Origin=origin)[0] == 403
    assert call(served, Content_Type="text/plain")[0] == 415
    assert call(served, Content_Type="application/x-www-form-urlencoded")[0] == 415
    assert call(served, "PUT")[0] == 501
    assert lines(tmp_path / "results.jsonl") == []
    assert call(served, "GET", "")[1].startswith("<!doctype html>")
    assert served.server_address[0] == "127.0.0.1"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"1", b'"a"', b"\xff\xfe", b"[" * 50_000, b'{"by": "\\ud800"}',
                                  b"NaN", b"{}", json.dumps(reading(note="\ud800")).encode()])  # fmt: skip
def test_what_is_no_reading_is_refused(served: Server, tmp_path: Path, body: bytes) -> None:
    status, told = call(served, body=body)
    assert status in (400, 422)
    assert told["error"]
    assert lines(tmp_path / "results.jsonl") == []


@pytest.mark.parametrize("values", [{"answer": 4}, {"answer": -1}, {"answer": None}, {"verdict": "ambiguous"},
                                    {"item": "other"}, {"version": 2}, {"key": 1}, {"kind": "model"}, {"by": " "},
                                    {"blind": False}, {"round": 2}, {"canary": ""}, {"judgement": "fine"}, {"more": 1},
                                    {"date": "today"}, {"by": "x" * 201}])  # fmt: skip
def test_a_reading_of_something_else_is_refused(served: Server, tmp_path: Path, values: dict[str, Any]) -> None:
    status, told = call(served, body=json.dumps(reading(**values)).encode())
    assert (status, bool(told["error"])) == (422, True)
    assert lines(tmp_path / "results.jsonl") == []


def test_a_huge_body_is_not_read(served: Server) -> None:
    assert call(served, body=b"x" * (LARGEST + 1))[0] == 413
    for length, wanted in (("99999999999999", 413), ("-1", 411), ("1e3", 411), ("", 411)):
        at = urlsplit(served.url)
        with socket.create_connection((at.hostname or "", at.port or 0), timeout=5) as raw:
            head = f"POST {at.path}results HTTP/1.1\r\nHost: {at.netloc}\r\nOrigin: http://{at.netloc}\r\n"
            raw.sendall(f"{head}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n".encode())
            assert raw.recv(100).split()[1] == str(wanted).encode()


def test_the_same_again_changes_nothing_and_the_last_counts(served: Server, tmp_path: Path) -> None:
    for values in ({}, {}, {"judgement": "accepted"}, {"judgement": "accepted"}, {"judgement": "rejected"}):
        assert call(served, body=json.dumps(reading(**values)).encode())[0] == 200
    assert [line["judgement"] for line in lines(tmp_path / "results.jsonl")] == ["", "accepted", "rejected"]
    (one,) = readings.read([tmp_path / "results.jsonl"])
    assert one.judgement == "rejected"
    assert call(served, "GET", "results?by=Ann")[1] == {"results": [one.model_dump()]}
    assert call(served, "GET", "results?by=Ben")[1] == {"results": []}


def test_many_at_once_leave_whole_lines(served: Server, tmp_path: Path) -> None:
    def post(name: str) -> None:
        for number in range(6):
            assert call(served, body=json.dumps(reading(number, by=name, note="é" * 999)).encode())[0] == 200

    threads = [threading.Thread(target=post, args=(f"rater {number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(readings.read([tmp_path / "results.jsonl"])) == 48


def test_a_disk_that_is_full_leaves_whole_lines(served: Server, tmp_path: Path, monkeypatch: Any) -> None:
    assert call(served)[0] == 200

    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("akb.bank.review.server.os.fsync", full)
        status, told = call(served, body=json.dumps(reading(1)).encode())
    assert (status, told) == (500, {"error": "cannot be written: No space left on device"})
    assert len(lines(tmp_path / "results.jsonl")) == 1
    assert call(served, body=json.dumps(reading(1)).encode())[0] == 200
    assert len(readings.read([tmp_path / "results.jsonl"])) == 2


def command(tmp_path: Path, *words: str) -> subprocess.Popen[str]:
    bank = tmp_path / "bank.jsonl"
    bank.write_text("".join(one.model_dump_json() + "\n" for one in ITEMS), "utf-8")
    program = "import typer; from akb.cli.bank.review import review; typer.run(review)"
    return subprocess.Popen([sys.executable, "-c", program, str(bank), *words], text=True, cwd=tmp_path,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip


def test_killed_while_it_writes(tmp_path: Path) -> None:
    process = command(tmp_path, "--serve")
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    at, saved = urlsplit(url), 0
    timer = threading.Timer(0.5, process.kill)
    timer.start()
    try:
        while True:
            body = json.dumps(reading(by=f"rater {saved}", note="n" * 5000))
            connection = http.client.HTTPConnection(at.netloc, timeout=5)
            told = {"Content-Type": "application/json", "Origin": f"http://{at.netloc}"}
            connection.request("POST", f"{at.path}results", body, told)
            assert connection.getresponse().status == 200
            saved += 1
    except (OSError, http.client.HTTPException):
        pass
    process.communicate(timeout=10)
    path = tmp_path / "readings-human.jsonl"
    with path.open("ab") as file:
        file.write(b'{"round": 1, "item": "it')  # as if it had been killed in the middle of a write
    Server(ITEMS, 1, path).log.close()
    assert saved > 0
    assert len(readings.read([path])) in (saved, saved + 1)


def test_ctrl_c_ends_quietly(tmp_path: Path) -> None:
    process = command(tmp_path, "--serve", "--results", "here.jsonl")
    assert process.stdout is not None
    assert process.stdout.readline().startswith("http://127.0.0.1:")
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=10)
    assert (process.returncode, told) == (0, "")


def test_the_command_writes_the_page(tmp_path: Path) -> None:
    process = command(tmp_path, "--only", "music", "--out", "page.html", "--round", "3")
    told, _ = process.communicate(timeout=30)
    assert (process.returncode, "3 items" in told) == (0, True)
    html = (tmp_path / "page.html").read_text("utf-8")
    assert '"round": 3' in html
    assert "item-1" in html
    assert "item-2" not in html


def test_errors_that_a_user_can_cause(served: Server, tmp_path: Path) -> None:
    with pytest.raises(AkbError, match="another akb process"):
        Server(ITEMS, 1, tmp_path / "results.jsonl")
    for _ in range(2):  # the file is free again
        with pytest.raises(AkbError, match=rf"port {served.server_port}: cannot be listened on"):
            Server(ITEMS, 1, tmp_path / "other.jsonl", served.server_port)
    with pytest.raises(AkbError, match="cannot be written"):
        Server(ITEMS, 1, tmp_path)
    with pytest.raises(AkbError, match="cannot be written"):
        Server(ITEMS, 1, tmp_path / "no folder" / "a.jsonl")
    (tmp_path / "damaged.jsonl").write_text('{"round": 1}\n', "utf-8")
    with pytest.raises(AkbError, match=r"damaged.jsonl:1: item: is missing"):
        Server(ITEMS, 1, tmp_path / "damaged.jsonl")


def test_a_last_line_without_its_end_is_kept_if_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text(json.dumps(reading()), "utf-8")
    Server(ITEMS, 1, path).log.close()
    assert path.read_text("utf-8") == json.dumps(reading()) + "\n"
