"""The site's pages, driven in a real browser."""

# ruff: noqa: F811
from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from site_browser import browser, browses, go, names, site, tab, watched  # noqa: F401
from site_data import build, write

from akb.leaderboards import correlations
from akb.leaderboards.sitedata import rounded


def pick(tab: Any, label: str, value: str) -> None:
    tab.get_by_role("combobox", name=re.compile(f"^{label}")).select_option(value)


def natural(text: str) -> list[tuple[int, str]]:
    """Numbers by size, letters without case."""
    return [(int(part), "") if part.isdigit() else (0, part.casefold()) for part in re.split(r"(\d+)", text)]


def column(tab: Any, label: str) -> list[str]:
    heads = [text.split(" ⇅")[0].split(" ▲")[0].split(" ▼")[0].strip()
             for text in tab.locator("table.board thead th").evaluate_all("all => all.map(one => "
             "(one.querySelector('button') || one).textContent)")]  # fmt: skip
    place = heads.index(label) + 1
    return list(tab.locator(f"table.board tbody tr > :nth-child({place})").all_inner_texts())


# -- the board --


@browses
def test_sorting(tab: Any, site: Path) -> None:
    go(tab, site)
    first = names(tab)
    assert first[0].startswith("Qwen-1-")
    assert tab.locator("th[aria-sort]").get_attribute("aria-sort") == "descending"
    tab.get_by_role("button", name="Accuracy").first.focus()
    tab.keyboard.press("Enter")
    assert names(tab) == first[::-1]
    assert tab.evaluate("document.activeElement.textContent").startswith("Accuracy")  # the focus stays
    tab.get_by_role("button", name="Size").click()
    sizes = [float(text.split()[0]) for text in column(tab, "Size") if text != "–"]
    assert sizes == sorted(sizes)
    assert sizes
    assert column(tab, "Size")[-3:] == ["–"] * 3  # what is not known is last
    tab.get_by_role("button", name="Size").click()
    assert [float(text.split()[0]) for text in column(tab, "Size") if text != "–"] == sizes[::-1]
    assert column(tab, "Size")[-1] == "–"
    tab.get_by_role("button", name="Model", exact=False).first.click()
    assert names(tab) == sorted(names(tab), key=natural)
    assert tab.locator("table.board th[aria-sort]").count() == 1


@browses
def test_every_head_that_sorts_does(tab: Any, site: Path) -> None:
    go(tab, site)
    for i in range(tab.locator("table.board thead button").count()):
        button = tab.locator("table.board thead button").nth(i)
        key = button.get_attribute("data-key")
        button.click()
        once = names(tab)
        tab.locator("table.board thead button").nth(i).click()
        assert sorted(names(tab)) == sorted(once)
        assert tab.locator("th[aria-sort] button").get_attribute("data-key") == key


@browses
def test_filters_and_the_address(browser: Any, tab: Any, site: Path) -> None:
    go(tab, site)
    everything = names(tab)
    pick(tab, "Family", "Qwen")
    assert names(tab) == [name for name in everything if name.startswith("Qwen")] != []
    pick(tab, "Family", "")
    pick(tab, "Access", "proprietary")
    assert set(column(tab, "Access")) == {"proprietary"}
    pick(tab, "Access", "open")
    pick(tab, "Size", "4-8")
    assert set(column(tab, "Size")) == {"8 B"}
    tab.get_by_label("Model name has").fill("OLMO")
    tab.get_by_role("button", name="Macro").click()
    shown = names(tab)
    assert all(name.startswith("OLMo") for name in shown)
    assert shown
    with watched(browser) as (other, faults):
        go(other, site, "index" + tab.evaluate("location.hash"))
        assert names(other) == shown
        assert other.input_value("#q") == "OLMO"
        assert other.locator("th[aria-sort] button").get_attribute("data-key") == "macro"
        assert not faults
    tab.get_by_role("button", name="Clear filters").click()
    assert sorted(names(tab)) == sorted(everything)
    tab.get_by_label("Model name has").fill("no such model")
    assert "No model fits" in tab.inner_text("#table")


@browses
def test_one_column_ranks(tab: Any, site: Path) -> None:
    go(tab, site)
    assert column(tab, "Rank")[:3] == ["1–2", "1–3", "2–4"]
    assert "akb-open 0.2.0, text, akb-v1-cloze" in tab.inner_text("table.board thead")
    pick(tab, "Ranked by", "mmau@audio:letters")
    assert "n = 250" in tab.inner_text("#summary")
    assert "mmau" in tab.inner_text("table.board caption")
    assert column(tab, "Rank").count("–") == 6  # every second model was not asked
    assert column(tab, "Rank")[-6:] == ["–"] * 6
    pick(tab, "Setting", "text")
    assert "mmau" not in tab.inner_text("#table")
    pick(tab, "Protocol", "letters")
    assert "No column has" in tab.inner_text("#summary")
    pick(tab, "Protocol", "")
    assert len(names(tab)) == 12


@browses
def test_numbers_intervals_and_settings(tab: Any, site: Path) -> None:
    go(tab, site)
    assert re.sub(r"\s+", " ", column(tab, "Accuracy, %")[0]).strip() == "93.0 % (89.8 to 96.2)"
    assert tab.locator("table.board .bar .whisker").count() >= 36
    assert column(tab, "Unreadable")[0] == "1.2 %"
    assert tab.inner_text("#neighbours p") == (
        "2 of the 11 gaps between neighbours hold after Holm's correction at 5 %. Cochran's Q over all models but "
        "baselines: 812.4, p < .0001. A true difference of 2.8 points is found here with a chance of about 80 % by one "
        "test, before Holm; smaller ones are found less often."
    )
    tab.get_by_role("button", name="Settings of OLMo-3").click()
    assert "temperature" in tab.inner_text("dialog[open]")
    tab.keyboard.press("Escape")
    assert tab.locator("dialog[open]").count() == 0
    tab.get_by_role("link", name="OLMo-3-8B").first.click()
    tab.wait_for_selector("h1:text-is('OLMo-3-8B')")


# -- the other pages --


@browses
def test_model(tab: Any, site: Path) -> None:
    go(tab, site, "model#m=model-3&col=akb-open@text:akb-v1")
    assert "3–5" in tab.inner_text("#facts")
    assert tab.locator("#categories circle.dot").count() == 6
    assert tab.locator("#heat .cell").count() == 48
    assert tab.locator("#versus tbody tr").count() == 11
    assert "97 %" in tab.inner_text("#hardest tbody tr >> nth=0")
    tab.locator("#heat .cell").nth(6).focus()
    assert re.match(r"Paralinguistic kind 1: shrunk [\d.]+ % \([\d.]+ to", tab.inner_text("#heat-read"))
    pick(tab, "Beside it", "model-7")
    tab.wait_for_selector("#categories rect.dot.other")
    assert "vs=model-7" in tab.url
    pick(tab, "Column", "mmau@audio:letters")
    tab.wait_for_selector("#problem:not([hidden])")
    assert "has no result in mmau" in tab.inner_text("#problem")
    assert tab.locator("#runs details").count() == 2
    go(tab, site, "model#m=nobody")
    assert 'no model "nobody"' in tab.inner_text("#problem")


@browses
def test_item_and_its_neighbours(tab: Any, site: Path) -> None:
    go(tab, site, "item#task=akb-open&i=99")
    assert tab.inner_text("h1") == "Item 100 of 250"
    assert "question 99 ask" in tab.inner_text("#question")
    assert tab.locator("#options li.key").count() == 1
    assert tab.locator("#answers tbody tr").count() == 12
    picked = sum(int(text.split()[0]) for text in tab.locator(".share").all_inner_texts())
    assert picked + tab.locator("#answers td:text-is('none')").count() == 12
    tab.get_by_role("link", name="Next").click()
    tab.wait_for_selector("h1:text-is('Item 101 of 250')")  # in the next file
    assert "question 100 ask" in tab.inner_text("#question")
    assert "not known" in tab.inner_text("#measures")
    tab.go_back()
    tab.wait_for_selector("h1:text-is('Item 100 of 250')")
    go(tab, site, "item#task=akb-open&i=249")
    assert tab.get_by_role("link", name="Next").count() == 0
    go(tab, site, "item#task=akb-open&id=akb-open-0123")
    assert tab.inner_text("h1") == "Item 124 of 250"
    for state, told in (("i=250", "none at"), ("i=-1", "none at"), ("i=x", "none at"), ("id=zz", "no item")):
        go(tab, site, f"item#task=akb-open&{state}")
        assert told in tab.inner_text("#problem")
    go(tab, site, "item#task=mmau&i=3")
    assert tab.locator("audio").get_attribute("src") == (site / "audio" / "3.wav").as_uri()
    assert tab.locator("audio").get_attribute("preload") == "none"


@browses
def test_items_of_a_task(tab: Any, site: Path) -> None:
    go(tab, site, "task")
    assert tab.locator("#table tbody tr").count() == 100
    tab.get_by_role("button", name="Later").click()
    tab.get_by_role("button", name="Later").click()
    assert tab.locator("#table tbody tr").count() == 50
    pick(tab, "Category", "phonetic")
    assert "42 of 250" in tab.inner_text("#summary")
    pick(tab, "Order", "hard")
    shares = [float(text.split()[0]) for text in tab.locator("#table td.score .value").all_inner_texts()]
    assert shares == sorted(shares)
    assert len(shares) == 42
    pick(tab, "Subcategory", "phonetic/phonetic-1")
    assert set(tab.locator("#table td.sub").all_inner_texts()) == {"Phonetic kind 2\nPhonetic"}
    tab.get_by_label("Question or id has").fill("0008")
    assert tab.locator("#table tbody tr").count() == 1
    tab.locator("#table tbody a").click()
    tab.wait_for_selector("h1:text-is('Item 9 of 250')")


@browses
def test_correlation(tab: Any, site: Path) -> None:
    go(tab, site, "correlation#x=akb-open text&y=MMAU audio")
    assert "Across 8 models" in tab.inner_text("#sentence")
    assert "interval is wide" in tab.inner_text("#warnings")
    assert tab.locator("#scatter svg.plot .point").count() == 8
    assert tab.locator("#scatter svg.plot .error").count() == 15  # one has no interval of y
    looks = tab.locator("#scatter svg.plot .point").evaluate_all(
        "all => all.map(one => [one.getAttribute('d'), one.getAttribute('fill')].join())"
    )
    assert len(set(looks)) == len({look.rsplit(",", 1)[0] for look in looks}) == 8  # shape alone tells families apart
    assert tab.locator("#scatter desc").text_content().count("Qwen") == 2  # name and family, for who cannot see it
    assert tab.locator("#regret tbody tr").count() == 3
    assert "among 4 of the 7 models that have MMAU audio" in tab.inner_text("#regret p")
    assert [re.sub(r"\s+", " ", text).strip() for text in tab.locator("#regret .value").all_text_contents()] == [
        "1.0 (0.0 to 3.0)", "2.4 (0.0 to 6.0)", "5.5 (3.0 to 8.0)"]  # fmt: skip
    assert "over models and questions not known" in re.sub(r"\s+", " ", tab.inner_text("#numbers"))
    assert tab.locator("#scatter .axisname").all_text_contents() == ["akb-open text, %", "MMAU audio, %"]
    assert "GPT" in tab.locator("#scatter desc").text_content()
    assert tab.locator("#heat tbody td a").count() == 12
    tab.locator("#table tbody a").nth(5).click()
    tab.wait_for_selector("#sentence:has-text('MMAR audio')")
    pick(tab, "Pair", "0")
    tab.wait_for_selector("#sentence:has-text('Across 17')")
    assert tab.locator("#warnings li").count() == 0


@browses
def test_a_column_of_another_unit_is_shown_as_it_is(tab: Any, tmp_path: Path) -> None:
    folder = build(tmp_path / "site", models=4, items=8, columns=1)
    rows = ["model,family,akb,elo,gain", "m1,f1,50,1031,-3", "m2,f1,55,1036,2", "m3,f2,61,1034,4", "m4,f3,72,1092,9",
            "m5,f4,80,1144,12.25"]  # fmt: skip
    (tmp_path / "t.csv").write_text("\n".join(rows))
    found = correlations.of_table(str(tmp_path / "t.csv"), (), 200, 0)
    write(folder, "correlation", rounded(found, small=True))
    go(tab, folder, "correlation#x=akb&y=elo")
    told = tab.locator("#scatter desc").text_content()
    assert told.startswith("m1 (f1): akb 50, elo 1031; m2 (f1): akb 55, elo 1036;")
    assert not re.search("%|accuracy", tab.inner_text("#scatter").replace("95 % interval", ""))
    assert "Units of elo" in tab.inner_text("#regret")
    assert tab.locator("#regret .value").all_text_contents()[1].startswith("66.2 (")  # chance
    go(tab, folder, "correlation#x=akb&y=gain")
    tab.click("#scatter summary")
    assert tab.locator("#scatter tbody td:last-child").all_inner_texts() == ["12.25", "9", "4", "2", "\u22123"]


@browses
def test_a_board_of_one_model_has_nothing_to_compare(tab: Any, tmp_path: Path) -> None:
    go(tab, build(tmp_path, models=1, items=8, columns=1))
    assert tab.inner_text("#neighbours") == "One model has results in this column, so there is nothing to compare."


@browses
def test_methods(tab: Any, site: Path) -> None:
    go(tab, site, "methods")
    assert tab.locator("#coverage tbody tr").all_inner_texts()[1].endswith("off")
    assert "holds" in tab.locator("#coverage tbody tr").all_inner_texts()[0]
    assert tab.locator("#coverage tbody tr th").all_inner_texts() == ["Wilson *", "cluster bootstrap"]
    assert tab.locator("#coverage td.world").all_inner_texts() == ["n 2000", "10 clusters"]
    assert tab.locator("#sections section").nth(0).locator("p").count() == 3
    tab.get_by_role("button", name="Wilson's interval").click()
    assert tab.evaluate("document.activeElement.textContent") == "Wilson's interval"
    tab.get_by_role("button", name="How often the intervals hold").click()
    assert tab.evaluate("document.activeElement.id") == "section-coverage"
