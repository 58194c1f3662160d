"""akb-open and everything that is registered: complete, proved, honest, and found by its name."""

from __future__ import annotations

import ast
import importlib
import json
import re
import shutil
import sys
from collections import Counter, defaultdict
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.signal import firwin, group_delay
from scipy.stats import binom, chisquare

from akb import content
from akb.bank import checks
from akb.cli.app import main
from akb.errors import AkbError
from akb.extraction import RULES
from akb.registry import ADAPTERS, Registry
from akb.settings import Settings
from akb.tasks.asking import Asking
from akb.tasks.folder import FolderTask
from akb.tasks.items import Item, read_items
from akb.validation import check_content

REGISTRY = Registry(Settings())
BANK = content.builtin() / "tasks" / "akb-open"
FOLDER = REGISTRY.folders["akb-open"]
ITEMS = list(read_items(FOLDER.data_files))
FEWSHOT = list(read_items([BANK / "fewshot.jsonl"]))
COMPUTED = [(where, item) for where, item in ITEMS if item.check is not None]
CANARY = re.compile(r"akb-open canary [0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12} do not train on this")

# The study's questions a category; derived from its published percentages.
STUDY = {"sound": 248, "paralinguistic": 594, "phonetic": 217, "music": 401, "audio-quality": 196, "technical": 344}
# The study's models, as its table names them, and the card that runs each.
MODELS = {
    "Gemini-2.5-Pro": "gemini-2.5-pro",
    "Claude-Sonnet-4.5": "claude-sonnet-4.5",
    "GPT-5": "gpt-5",
    "GPT-4o": "gpt-4o",
    "Gemini-2.0-Flash": "gemini-2.0-flash",
    "Phi-4-14B": "phi-4",
    "Qwen3-14B": "qwen3-14b",
    "Qwen3-4B": "qwen3-4b",
    "Qwen2.5-7B": "qwen2.5-7b",
    "Qwen3-8B": "qwen3-8b",
    "Llama-3-8B": "llama-3-8b",
    "Phi-4-mini-4B": "phi-4-mini",
    "OLMo-3-7B": "olmo-3-7b",
    "Llama-3.1-8B": "llama-3.1-8b",
    "OLMo-3-7B-DPO": "olmo-3-7b-dpo",
    "OLMo-3-7B-SFT": "olmo-3-7b-sft",
    "Llama-2-7B": "llama-2-7b",
}


# -- what the bank holds ---------------------------------------------------------------------------------------


def test_the_taxonomy_has_the_studys_numbers_and_says_that_its_subcategories_are_not_the_studys() -> None:
    taxonomy = FOLDER.taxonomy
    assert taxonomy is not None
    targets = {c.name: sum(s.target for s in c.subcategories) for c in taxonomy.categories}
    assert targets == STUDY
    assert sum(targets.values()) == 2000
    names = [(c.name, s.name) for c in taxonomy.categories for s in c.subcategories]
    assert len(names) == len(set(names)) == 48
    assert all(s.title and s.scope and s.target for c in taxonomy.categories for s in c.subcategories)
    assert "not the study's" in taxonomy.origin


def test_every_subcategory_is_reached_and_every_category_has_twenty_questions() -> None:
    assert FOLDER.taxonomy is not None
    wanted = {(c.name, s.name) for c in FOLDER.taxonomy.categories for s in c.subcategories}
    assert {(item.category, item.subcategory) for _, item in ITEMS} == wanted
    counts = Counter(item.category for _, item in ITEMS)
    assert set(counts) == set(STUDY)
    assert min(counts.values()) >= 20


def test_every_item_stands_in_the_file_of_its_subcategory_and_is_named_after_it() -> None:
    for where, item in ITEMS:
        path = Path(where.rpartition(":")[0])
        assert (path.parent.name, path.stem) == (item.category, item.subcategory), where
        assert re.fullmatch(rf"{item.subcategory}-\d{{3}}", item.id), where
        assert item.template_id.startswith(f"{item.subcategory}/"), where
    assert len({item.id for _, item in [*ITEMS, *FEWSHOT]}) == len(ITEMS) + len(FEWSHOT)


def test_keys_stand_in_every_place_alike() -> None:
    places = Counter(item.answer for _, item in ITEMS)
    assert max(places.values()) - min(places.values()) <= 4
    for category in STUDY:
        inside = Counter(item.answer for _, item in ITEMS if item.category == category)
        assert chisquare([inside[place] for place in range(4)]).pvalue > 0.05, category


def test_every_data_file_carries_one_and_the_same_canary_on_every_line() -> None:
    files = sorted(BANK.rglob("*.jsonl"))
    assert set(FOLDER.data_files) < set(files)
    found = set()
    for path in files:
        for line in path.read_text("utf-8").splitlines():
            match = CANARY.search(line)
            assert match, path
            found.add(match[0])
    assert len(found) == 1


def test_reviews_say_honestly_what_kind_of_reader_it_was() -> None:
    signs = {"program": re.compile(r"^akb\."), "model": re.compile(r"language model")}
    for where, item in ITEMS:
        kinds = {review.kind for review in item.reviews}
        assert ("program" in kinds) == (item.kind == "computed"), where
        assert "model" in kinds, where
        for review in item.reviews:
            if review.kind == "human":
                assert not any(sign.search(review.by) for sign in signs.values()), where
            else:
                assert signs[review.kind].search(review.by), where
        mended = max((n for n, review in enumerate(item.reviews, 1) if review.verdict == "mended"), default=0)
        late = {review.verdict for review in item.reviews[mended:]}
        assert not late & {"disagrees", "ambiguous"}, f"{where}: an open objection"


def test_the_licence_lies_beside_the_questions_and_in_every_package() -> None:
    assert "CC-BY-4.0" in (BANK / "LICENSE").read_text("utf-8")
    assert FOLDER.file.license == "CC-BY-4.0"
    assert '"tasks/akb-open/LICENSE"' in (content.builtin() / "pyproject.toml").read_text("utf-8")


# -- proofs ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("where", "item"), COMPUTED, ids=[item.id for _, item in COMPUTED])
def test_the_check_of_a_computed_item_proves_its_key_and_refutes_every_distractor(where: str, item: Item) -> None:
    assert item.kind == "computed"
    right = checks.prove(str(item.check), item.options, where)
    assert [index for index, ok in enumerate(right) if ok] == [item.answer]
    turned = item.options[1:] + item.options[:1]  # a proof does not look at where the key stands
    assert checks.prove(str(item.check), turned, where) == right[1:] + right[:1]


def test_an_item_has_a_check_if_and_only_if_it_is_computed() -> None:
    assert len(COMPUTED) >= 70
    assert all((item.kind == "computed") == (item.check is not None) for _, item in [*ITEMS, *FEWSHOT])


def alias(rate_hz: int, tone_hz: int) -> str:
    t = np.arange(rate_hz) / rate_hz
    return f"{np.abs(np.fft.rfft(np.cos(2 * np.pi * tone_hz * t))).argmax() / 1000:.2f} kHz"


def distortion(low_hz: int, high_hz: int) -> str:
    """The one option that a cubed sum of two tones holds and neither cubed tone alone."""
    t = np.arange(48000) / 48000
    low, high = np.cos(2 * np.pi * low_hz * t), np.cos(2 * np.pi * high_hz * t)
    spectrum = np.abs(np.fft.rfft((low + high) ** 3 - low**3 - high**3))
    (held,) = (f for f in (15000, 11000, 4000, 10000) if spectrum[f] > 1)
    return f"{held // 1000} kHz"


def syllables(pron: dict[str, str], word: str) -> list[str]:
    return [p for p in pron[word].split() if p[-1].isdigit()]


def rime(phones: str) -> str:
    start = max(phones.rfind("1"), 0)
    return phones[phones.rfind(" ", 0, start) + 1 :]


ORDINALS = ("First syllable", "Second syllable", "Third syllable", "Fourth syllable")

# By numpy, scipy or plain counting, and never by akb.bank.
ORACLES: dict[str, Callable[..., str]] = {
    "alias_frequency": alias,
    "third_order_product": distortion,
    "bin_spacing": lambda rate_hz, length: f"{np.fft.rfftfreq(length, 1 / rate_hz)[1]:.1f} Hz",
    "frame_count": lambda samples, window, hop: (
        f"{len(np.lib.stride_tricks.sliding_window_view(np.zeros(samples), window)[::hop])} frames"
    ),
    "guessing_tail": lambda trials, correct: f"about {100 * binom.sf(correct - 1, trials, 0.5):.1f} %",
    "linear_phase_delay": lambda taps: f"{group_delay((firwin(taps, 0.3), np.ones(1)), [0.1])[1][0]:.0f} samples",
    "spectral_centroid": lambda frequencies_hz, magnitudes: f"{np.average(frequencies_hz, weights=magnitudes):.0f} Hz",
    "incoherent_sum": lambda level_db, sources: f"{10 * np.log10(sources * 10 ** (level_db / 10)):.0f} dB",
    "signal_to_noise": lambda signal_rms, noise_rms: f"{10 * np.log10(signal_rms**2 / noise_rms**2):.0f} dB",
    "crest_factor": lambda peak, rms: f"about {10 * np.log10(peak**2 / rms**2):.0f} dB",
    "pcm_bit_rate": lambda rate_hz, bits, channels: f"{rate_hz * bits * channels // 1000} kbit/s",
    "pcm_size": lambda rate_hz, bits, channels, seconds: (
        f"{np.zeros((seconds * rate_hz, channels * bits // 8), np.uint8).nbytes / 1e6:.2f} MB"
    ),
    "beat_rate": lambda first_hz, second_hz: str(second_hz - first_hz),
    "syllable_count": lambda word, pron: str(len(syllables(pron, word))),
    "primary_stress": lambda word, pron: ORDINALS[[v[-1] for v in syllables(pron, word)].index("1")],
    "phoneme_count": lambda word, pron: str(len(pron[word].split())),
    "rhymes_with": lambda word, pron: next(w for w, p in pron.items() if w != word and rime(p) == rime(pron[word])),
    "homophone_of": lambda word, pron: next(w for w, p in pron.items() if w != word and p == pron[word]),
    "reversed_phonemes": lambda word, pron: next(w for w, p in pron.items() if p.split()[::-1] == pron[word].split()),
}


def test_the_keys_of_a_third_of_the_computed_items_are_what_numpy_scipy_or_counting_gives() -> None:
    seen: dict[str, list[str]] = defaultdict(list)
    for where, item in COMPUTED:
        name, arguments = checks.parse_call(str(item.check), where)
        if name in ORACLES:
            assert ORACLES[name](**arguments) == item.options[item.answer], where
            seen[name].append(item.id)
    assert set(seen) == set(ORACLES)
    assert sum(map(len, seen.values())) >= 23


def test_a_check_is_read_as_data_and_never_run_as_a_program(tmp_path: Path) -> None:
    for text in ("__import__('os').getcwd()", "f(1)", "f(x=open('y'))", "f(x=1); g()", "f(**{'x': 1}) or 1", "f"):
        with pytest.raises(AkbError, match="cannot be read"):
            checks.prove(text, ["a", "b"], "here")
    with pytest.raises(AkbError, match="no check is called"):
        checks.prove("alias_frequencies(rate_hz=1)", ["a", "b"], "here")
    with pytest.raises(AkbError, match="cannot decide"):
        checks.prove("alias_frequency(rate_hz=44100, tone_hz=30000)", ["a tone", "1 kHz"], "here")


def test_every_check_of_the_bank_is_used_and_no_item_tells_its_check_the_key() -> None:
    used = {ast.parse(str(item.check), mode="eval").body.func.id for _, item in COMPUTED}  # type: ignore[attr-defined]
    assert used <= set(checks.CHECKS)
    for _, item in COMPUTED:
        _, arguments = checks.parse_call(str(item.check), item.id)
        assert not {"answer", "key", "correct_option", "options"} & set(arguments)


# -- akb validate ----------------------------------------------------------------------------------------------


def test_akbs_own_content_has_no_errors_and_no_warnings() -> None:
    report = check_content()
    assert report.findings == []
    assert report.counts["proofs"] >= len(COMPUTED)
    assert report.counts["questions"] >= len(ITEMS)


def rewrite(path: Path, number: int, **fields: Any) -> None:
    """Change fields of one line of a JSONL file."""
    lines = path.read_text("utf-8").splitlines()
    lines[number - 1] = json.dumps({**json.loads(lines[number - 1]), **fields}, ensure_ascii=False)
    path.write_text("\n".join(lines) + "\n", "utf-8")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"answer": 1}, "answer: the check sabine_time finds ['about 0.8 s'] right, not the key"),
        ({"options": ["about 0.8 s", "about 0.81 s", "about 0.3 s", "about 0.5 s"]}, "right, not the key"),
        ({"check": None}, "kind computed needs a check"),
        ({"options": ["about 0.8 s", "about  0.8 s", "about 0.3 s", "about 0.5 s"]}, "options: 0 and 1 say the same"),
        ({"subcategory": "halls"}, "subcategory: audio-quality/halls is not in the taxonomy"),
        ({"id": "reverberation-rooms-002"}, "'reverberation-rooms-002' was used before"),
        ({"answer": 4}, "answer: 4 is out of range"),
        ({"canary": "another"}, "canary: 2 different strings"),
        ({"colour": "red"}, "colour: there is no such field"),
    ],
)
def test_tampering_is_caught_by_validate_with_exit_code_2_and_its_place(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    fields: dict[str, Any],
    told: str,
) -> None:
    copy = tmp_path / "akb-open"
    shutil.copytree(BANK, copy)
    path = copy / "questions" / "audio-quality" / "reverberation-rooms.jsonl"
    assert json.loads(path.read_text("utf-8").splitlines()[0])["check"].startswith("sabine_time")
    rewrite(path, 1, **fields)
    monkeypatch.setattr(sys, "argv", ["akb", "validate", str(copy)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    printed = capsys.readouterr().out
    (line,) = (line for line in printed.splitlines() if told in line)
    assert line.startswith("error: ")
    if "canary" not in fields:
        assert re.search(r"reverberation-rooms\.jsonl:[12]:", line)


def test_a_worked_example_that_is_a_test_item_is_caught(tmp_path: Path) -> None:
    copy = tmp_path / "akb-open"
    shutil.copytree(BANK, copy)
    _, item = ITEMS[0]
    rewrite(copy / "fewshot.jsonl", 2, question=item.question.upper())
    (found,) = check_content(copy).errors
    assert "fewshot: fewshot-002 is a test item" in found.what


# -- every registered name resolves ----------------------------------------------------------------------------


@cache
def task_called(name: str) -> FolderTask:
    """A task, asked by replies; one for all its parts."""
    protocol, prompt = REGISTRY.protocol("akb-v1")
    task = REGISTRY.task(name, Asking(protocol, prompt))
    assert isinstance(task, FolderTask)
    return task


@pytest.mark.parametrize("name", REGISTRY.task_names())
def test_every_task_and_every_part_of_one_resolves_and_has_questions(name: str) -> None:
    (selection,) = REGISTRY.select([name])
    if selection.task == "akb-2000":
        return  # its questions are the user's to bring
    task = task_called(selection.task)
    if selection.task in ("mmau", "mmar"):  # to be fetched from their owners
        with pytest.raises(AkbError, match="its questions are not here") as told:
            list(task.questions())
        assert f"akb fetch {selection.task}" in told.value.fix
        return
    assert len(list(task.some(selection.keeps, 1))) == 1


def test_every_protocol_prompt_and_extraction_rule_resolves() -> None:
    assert {"akb-v1", "akb-v1-loglik", "akb-v1-cyclic", "akb-v1-cloze"} <= set(REGISTRY.protocols)
    for name in REGISTRY.protocols:
        protocol, prompt = REGISTRY.protocol(name)
        assert protocol.extraction in RULES
        assert prompt.name in REGISTRY.prompts
    assert {protocol.prompt for protocol in REGISTRY.protocols.values()} == set(REGISTRY.prompts)


def test_every_file_of_content_defines_what_its_name_says() -> None:
    for folder, known in (("protocols", REGISTRY.protocols), ("prompts", REGISTRY.prompts)):
        assert {path.stem for path in (content.builtin() / "tasks" / folder).glob("*.yaml")} == set(known)
    assert {path.parent.name for path in (content.builtin() / "tasks").glob("*/task.yaml")} == set(REGISTRY.folders)


@pytest.mark.parametrize("name", [n for card in REGISTRY.cards.values() for n in (card.name, *card.aliases)])
def test_every_model_and_alias_resolves_to_one_card_with_an_adapter(name: str) -> None:
    card = REGISTRY.card(name)
    assert name in (card.name, *card.aliases)
    assert REGISTRY.card(name.upper()) == card
    assert REGISTRY.runnable(card)
    assert card.context is None or card.context >= 4096


@pytest.mark.parametrize("target", ADAPTERS.values(), ids=ADAPTERS)
def test_every_adapter_is_there_without_its_extra_being_imported(target: str) -> None:
    module, _, name = target.partition(":")
    assert callable(getattr(importlib.import_module(module), name))


def test_all_17_models_of_the_study_have_cards() -> None:
    assert {card.study: card.name for card in REGISTRY.cards.values() if card.study} == MODELS
    assert len(MODELS) == 17
    for name in [*MODELS.values(), "qwen2-7b"]:
        card = REGISTRY.card(name)
        assert card.adapter != "hf" or re.fullmatch(r"[0-9a-f]{40}", str(card.revision)), name
        assert card.context, name
        assert card.license, name
