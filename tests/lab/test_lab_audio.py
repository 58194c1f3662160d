"""The items of lab-audio: proved keys, nothing but the clip tells them, and a wall between benchmark and training."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest

from akb.bank import balance
from akb.bank.choices_only import choices_only
from akb.lab.audio import SEED, AudioItem, held_out, items, key_of
from akb.lab.audio.item import read
from akb.lab.audio.limits import LIMITS
from akb.lab.audio.making import TEMPLATES
from akb.lab.audio.proofs import PROOFS, UndecidedError, prove
from akb.lab.sound import render
from akb.tasks.items import Item

FOLDER = Path(__file__).resolve().parents[2] / "tasks" / "lab-audio"
FILE = [item for _, item in read([FOLDER / "questions.jsonl"])]  # in the file's order
PLACES = {template.name: place for place, template in enumerate(TEMPLATES)}
ITEMS = sorted(FILE, key=lambda item: PLACES[item.template_id])  # template by template
BY_TEMPLATE: dict[str, list[AudioItem]] = defaultdict(list)
for _item in ITEMS:
    BY_TEMPLATE[_item.template_id].append(_item)
# dB of full scale in quarters of every 48th clip: another renderer needs another akb.tasks.rendered.RENDERER
LEVELS = [
    [-30.74, -28.04, -28.03, -33.75], [-31.27, -35.41, -52.96, -30.21], [-30.36, -28.11, -28.11, -30.36],
    [-29.66, -29.72, -29.72, -29.66], [-38.58, -41.38, -80.0, -80.0], [-30.11, -29.13, -33.08, -33.24],
    [-30.55, -30.55, -30.55, -36.07], [-29.74, -28.77, -28.49, -30.13], [-30.38, -28.85, -28.63, -30.7],
    [-35.58, -35.8, -38.16, -38.59], [-34.13, -29.99, -29.99, -31.97], [-31.0, -29.54, -29.37, -31.12],
    [-31.94, -29.13, -30.58, -31.29], [-32.15, -36.33, -30.29, -33.62], [-30.37, -29.49, -29.48, -30.56],
    [-33.53, -33.14, -33.58, -35.37],
]  # fmt: skip


def as_bank(item: AudioItem) -> Item:
    own = item.model_dump(include={"id", "category", "subcategory", "question", "options", "answer", "template_id"})
    return Item(
        **own, version=1, kind="computed", sources=(), rationale="", dialect="", reviews=(), check=None, canary=""
    )


BANK = [as_bank(item) for item in ITEMS]


# -- keys --


@pytest.mark.parametrize("template", sorted(BY_TEMPLATE))
def test_the_key_and_nothing_else_is_proved_right(template: str) -> None:
    for item in BY_TEMPLATE[template]:
        right = prove(template, item.scene, item.options)
        assert [place for place, ok in enumerate(right) if ok] == [item.answer], item.id


def test_a_proof_looks_at_the_clip_and_not_at_the_order_of_options() -> None:
    for item in ITEMS:
        turned = (*item.options[1:], item.options[0])
        assert prove(item.template_id, item.scene, turned).index(True) == (item.answer - 1) % 4, item.id


def test_a_clip_within_a_limit_is_not_decided() -> None:
    item = next(item for item in ITEMS if item.template_id == "pitch-loudness/loudest")
    scene = item.scene.model_dump()
    levels = sorted({event["level_db"] for event in scene["events"]})
    for event in scene["events"]:
        event["level_db"] = -30 if event["level_db"] == levels[0] else -30 + LIMITS["level"].least - 1
    with pytest.raises(UndecidedError, match="loudest"):
        prove(item.template_id, type(item.scene)(**scene), item.options)


def test_limits_are_well_above_what_is_just_noticed() -> None:
    for name, limit in LIMITS.items():
        more = limit.least / limit.noticed if limit.noticed else 2.0
        if limit.unit.startswith("ratio"):
            more = (limit.least - 1) / (limit.noticed - 1)
        assert more >= 1.5, name
        assert re.search(r"\d{4}|free naming|masking", limit.source), name


# -- keys found in the samples, by other code than that which made or proved them --


def parts(item: AudioItem) -> list[np.ndarray]:
    """The samples of each event, in the order of their starts."""
    samples, rate = render(item.scene).astype(float), item.scene.rate
    events = sorted(item.scene.events, key=lambda event: event.start)
    return [samples[round(event.start * rate) : round(event.end * rate)] for event in events]


def peak_hertz(samples: np.ndarray, rate: int = 16_000) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 8 * len(samples)))
    return float(np.argmax(spectrum) * rate / (8 * len(samples)))


def test_the_loudest_of_four_has_most_energy_in_the_samples() -> None:
    for item in BY_TEMPLATE["pitch-loudness/loudest"]:
        loud = [float(np.max(np.convolve(part**2, np.ones(800), "same"))) for part in parts(item)]
        assert ("the first", "the second", "the third", "the fourth")[int(np.argmax(loud))] == item.key, item.id


def test_the_frequency_of_the_tone_is_where_the_spectrum_peaks() -> None:
    for item in BY_TEMPLATE["pitch-loudness/frequency"]:
        assert peak_hertz(parts(item)[0]) == pytest.approx(float(item.key.split()[0]), rel=0.01), item.id


def test_the_second_tone_differs_in_the_samples_as_the_key_says() -> None:
    for item in BY_TEMPLATE["pitch-loudness/two-tones"]:
        one, other = parts(item)
        higher = "higher" if peak_hertz(other) > peak_hertz(one) else "lower"
        louder = "louder" if np.mean(other**2) > np.mean(one**2) else "softer"
        assert item.key == f"{higher} and {louder}", item.id


def test_the_pause_is_the_longest_silence_in_the_samples() -> None:
    for item in BY_TEMPLATE["rate/pause"]:
        frames = render(item.scene)[: -round(0.3 * 16_000)].astype(float)
        frames = frames[: len(frames) // 160 * 160].reshape(-1, 160)
        quiet = (np.sqrt(np.mean(frames**2, axis=1)) < 1e-4)[30:]
        lengths = np.diff(np.flatnonzero(np.diff(np.concatenate(([0], quiet, [0])))))[::2]
        where = np.flatnonzero(np.diff(np.concatenate(([0], quiet, [0]))))[::2][int(np.argmax(lengths))] / 100 + 0.3
        spoken = sum(event.end <= where + 0.12 for event in item.scene.events)
        assert item.key == f"the {('first', 'second', 'third', 'fourth')[spoken - 1]} word", item.id


def test_beats_a_minute_are_counted_from_the_energy() -> None:
    for item in BY_TEMPLATE["rhythm/bpm"]:
        energy = np.add.reduceat(render(item.scene).astype(float) ** 2, range(0, int(item.scene.seconds * 16_000), 160))
        energy -= energy.mean()
        lags = {option: round(6000 / int(option.split()[0])) for option in item.options}
        shares = {
            o: max(float(np.dot(energy[:-k], energy[k:])) for k in (lag - 1, lag, lag + 1)) for o, lag in lags.items()
        }
        assert max(shares, key=shares.__getitem__) == item.key, item.id


def test_clips_sound_as_they_did_when_their_renderer_got_its_number() -> None:
    found = [levels(item) for item in ITEMS[::48]]
    assert np.allclose(found, LEVELS, atol=0.1)


def levels(item: AudioItem) -> list[float]:
    quarters = np.array_split(render(item.scene).astype(float), 4)
    return [round(float(10 * np.log10(np.mean(part**2) + 1e-8)), 2) for part in quarters]


# -- nothing but the clip tells the key --


def test_the_set_has_its_size_and_its_groups() -> None:
    assert Counter(item.category for item in ITEMS) == {"sound": 256, "music": 256, "speech": 256}
    needs = Counter(item.needs for item in ITEMS)
    assert 0.4 < needs["perception"] / len(ITEMS) < 0.6
    assert len(BY_TEMPLATE) >= 30
    assert max(map(len, BY_TEMPLATE.values())) <= 30
    for category in {item.category for item in ITEMS}:
        assert 4 <= len({item.subcategory for item in ITEMS if item.category == category}) <= 6
    assert set(PROOFS) == set(BY_TEMPLATE) == {template.name for template in TEMPLATES}


@pytest.mark.parametrize("gate", [balance.key_places, balance.subcategory_places, balance.number_ranks, choices_only],
                         ids=lambda gate: gate.__name__)  # fmt: skip
def test_a_gate_of_the_bank_holds(gate) -> None:  # type: ignore[no-untyped-def]
    found = gate(BANK)
    assert found.passed, found


def test_the_longest_and_the_shortest_option_are_no_better_than_chance() -> None:
    found = list(balance.lengths(BANK))
    assert [gate.figure for gate in found] == ["25.0%", "25.0%"]
    assert not any(gate.details for gate in found)


def test_the_same_question_with_the_same_options_has_each_of_them_as_key_equally_often() -> None:
    keys: dict[tuple[str, frozenset[str]], Counter[str]] = defaultdict(Counter)
    for item in ITEMS:
        keys[item.question, frozenset(item.options)][item.key] += 1
    for counts in keys.values():
        assert len(counts) == 4
        assert len(set(counts.values())) == 1


def test_the_most_frequent_answer_of_a_template_is_at_chance() -> None:
    """An oracle that knows how often each text is the key in each template, and always takes the most frequent."""
    hits = 0.0
    for group in BY_TEMPLATE.values():
        often = Counter(item.key for item in group)
        offered = Counter(option for item in group for option in item.options)
        shares = {option: often[option] / offered[option] for option in offered}
        for item in group:
            best = max(shares[option] for option in item.options)
            top = [option for option in item.options if shares[option] == best]
            hits += (item.key in top) / len(top)
        assert set(shares.values()) == {0.25}
    assert hits / len(ITEMS) == 0.25


def test_words_of_a_question_stand_in_all_of_its_options_or_in_none() -> None:
    for item in ITEMS:
        words = {word for word in re.findall("[a-z]+", item.question.lower()) if len(word) > 3}
        options = [set(re.findall("[a-z]+", option.lower())) for option in item.options]
        for word, count in ((word, sum(word in option for option in options)) for word in words):
            assert count in (0, 4), (item.id, word)


def test_no_frame_belongs_to_two_templates_and_each_has_several() -> None:
    frames = Counter(frame for template in TEMPLATES for frame in set(template.frames))
    assert min(len(set(template.frames)) for template in TEMPLATES) >= 3
    assert all(item.question in frames for item in ITEMS)


def test_sounds_that_are_like_one_another_are_never_set_against_each_other() -> None:
    near = ("wind", "an engine", "a helicopter", "thunder", "a crackling fire")
    for item in ITEMS:
        assert sum(option in near for option in item.options) <= 1, item.id


# -- benchmark and training --


def test_the_published_items_are_those_of_the_seed_in_every_process() -> None:
    made = subprocess.run(
        [sys.executable, "-c", "from akb.lab.audio import SEED, items, spread\n"
         "import sys; sys.stdout.buffer.write(''.join(i.line() for i in spread(items(SEED))).encode())"],
        capture_output=True, check=True, env={"PYTHONHASHSEED": "77", "PATH": ""})  # fmt: skip
    assert made.stdout == (FOLDER / "questions.jsonl").read_bytes()


@pytest.mark.parametrize("count", [3, 24, 48, 96, 200, 480])
def test_the_first_so_many_questions_are_of_as_many_templates_as_can_be(count: int) -> None:
    templates = Counter(item.template_id for item in FILE[:count])
    assert len(templates) == min(count, len(PLACES))
    assert max(templates.values()) - min(templates.values()) <= 1
    groups = Counter(item.category for item in FILE[:count])
    assert len(groups) == 3
    assert max(groups.values()) - min(groups.values()) <= 1


def test_questions_of_the_same_words_stand_far_apart() -> None:
    last: dict[str, int] = {}
    for place, item in enumerate(FILE):
        assert place - last.get(item.template_id, -len(PLACES)) >= len(PLACES), item.id
        last[item.template_id] = place


def test_no_two_items_are_of_one_clip() -> None:
    assert len({key_of(item.scene) for item in ITEMS}) == len({item.id for item in ITEMS}) == len(ITEMS)


@pytest.mark.parametrize("seed", [0, 1, 12345])
def test_other_seeds_give_no_clip_of_the_benchmark(seed: int) -> None:
    others = items(seed, 400)
    assert len(others) == 400
    assert not {key_of(item.scene) for item in others} & {key_of(item.scene) for item in ITEMS}
    assert all(held_out(item.scene) for item in ITEMS)
    assert not any(held_out(item.scene) for item in others)
    assert not {item.id for item in others} & {item.id for item in ITEMS}


def test_seed_start_and_loudness_do_not_bring_a_clip_to_the_other_side() -> None:
    for item in ITEMS[::16]:
        scene = item.scene.model_dump()
        for event in scene["events"]:
            event["start"] = round(event["start"] + 0.3, 6)
            event["level_db"] -= 3
        if scene["background"]:
            scene["background"]["level_db"] -= 3
        scene |= {"seed": 99, "duration": None if scene["duration"] is None else scene["duration"] + 1}
        assert key_of(type(item.scene)(**scene)) == key_of(item.scene), item.id


def test_other_parameters_are_another_clip() -> None:
    item = BY_TEMPLATE["voice/hertz"][0]
    scene = item.scene.model_dump()
    scene["events"][0]["params"]["f0"] += 1
    assert key_of(type(item.scene)(**scene)) != key_of(item.scene)


def test_clips_that_are_not_wanted_are_not_made() -> None:
    first = items(3, 192)
    unwanted = {key_of(item.scene) for item in first}
    assert not {key_of(item.scene) for item in items(3, 192, unwanted)} & unwanted


def test_training_items_are_even_as_well() -> None:
    places = Counter(item.answer for item in items(5, 960))
    assert set(places.values()) == {240}
    assert SEED != 5
