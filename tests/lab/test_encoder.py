"""lab-encoder: what it is taught is true of the clips, it lies on the training's side, and it hears."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch

from akb.adapters.snapshot import find
from akb.audio import chunks
from akb.lab.audio.item import held_out, key_of, read
from akb.lab.encoder.attributes import IGNORED, LOW, POSITIONS, STEP, classes, numbered, told
from akb.lab.encoder.clips import BANDS, FRAMES, SECONDS, clips, extractor, features, heard
from akb.lab.encoder.train import Heads, Settings, Targets, batches, config, encode, loss_of, optimizers
from akb.lab.reader.items import side_of
from akb.lab.sound import Scene, read_scene, render, write_wav
from akb.lalm.encoder import Taps, load

FOLDER = Path(__file__).parents[2] / "lalm" / "lab-encoder"
BENCHMARK = FOLDER.parents[1] / "tasks" / "lab-audio" / "questions.jsonl"


def scene(*events: dict[str, Any], **more: Any) -> Scene:
    return read_scene({"events": list(events), **more})


# -- what is taught --------------------------------------------------------------------------------------------------


def test_attributes_are_what_is_known_of_the_scene() -> None:
    of = told(
        scene(
            {"source": "note", "params": {"instrument": "flute", "note": 69, "slide": 12}, "length": 1, "start": 0.2},
            {"source": "knocks", "params": {"count": 3, "gap": 0.5}, "start": 2, "level_db": -40},
            background={"source": "rain", "level_db": -60},
        )
    )
    flute, knocks = of.events
    assert (flute["what"], flute["pitch"], flute["pitch_course"], flute["extra"]) == ("flute", 0, "rising", "slide")
    assert (knocks["what"], knocks["count"], knocks["pitch"], knocks["extra"]) == ("knocks", 3, None, None)
    assert of.clip | {"events": 2, "background": "rain", "loudest": 0, "softest": 1, "then_louder": "less"} == of.clip
    assert of.onsets == [0.2, 2.0, 2.5, 3.0]
    assert {name for name, _, _ in of.sounding} == {"flute", "knocks", "rain"}


def test_each_position_has_the_pitch_that_sounds_there() -> None:
    melody = told(scene({"source": "melody", "start": 1, "params": {"notes": [60, 67, 72], "tempo": 120}})).pitch
    assert melody[round(1.25 / STEP)] == 60 - LOW
    assert melody[round(1.75 / STEP)] == 67 - LOW
    assert melody[round(0.5 / STEP)] == IGNORED == melody[-1]
    tone = told(scene({"source": "tone", "params": {"f": 220, "f_end": 880}, "start": 0, "length": 4})).pitch
    assert tone[0] == 57 - LOW
    assert abs(tone[round(2 / STEP)] - (69 - LOW)) <= 1
    assert tone[round(3.9 / STEP)] == 81 - LOW
    two = {"source": "tone", "start": 0, "length": 2}
    assert set(told(scene({**two, "params": {"f": 300}}, {**two, "params": {"f": 400}})).pitch.tolist()) == {IGNORED}


def test_a_question_has_a_pitch_that_ends_higher_than_a_statement() -> None:
    last = {}
    for contour in ("question", "statement"):
        pitch = told(scene({"source": "speech", "params": {"contour": contour, "phones": "M AA1 M AA1 M AA1"}})).pitch
        last[contour] = pitch[pitch != IGNORED][-1]
    assert last["question"] > last["statement"] + 8


def test_which_of_four_differs_is_told_only_where_one_does() -> None:
    one = {"source": "beeps", "params": {"count": 1, "f": 800}}
    other = {"source": "beeps", "params": {"count": 1, "f": 1200}}
    rows = [{**one, "start": place} for place in range(4)]
    assert told(scene(*rows)).clip["odd"] is None
    assert told(scene(rows[0], rows[1], {**other, "start": 2}, rows[3])).clip["odd"] == 2


def test_what_is_rare_or_unknown_is_not_learned() -> None:
    common = [told(scene({"source": "dog"}))] * 20
    rare = told(scene({"source": "owl"}))
    _, event, sounding = classes([*common, rare, *[told(scene({"source": "cat"}))] * 20])
    assert event["what"] == ["cat", "dog"] == sounding
    rows = numbered([rare.events[0], common[0].events[0], {}], event)
    assert rows[:, list(event).index("what")].tolist() == [IGNORED, 1, IGNORED]


def test_no_clip_of_training_or_validation_is_the_benchmarks() -> None:
    benchmark = {key_of(item.scene) for _, item in read([BENCHMARK])}
    training, valid = clips("train", 300, 60, 100), clips("valid", 40, 20, 300)
    assert {side_of(one) for one in training} == {"train"}
    assert {side_of(one) for one in valid} == {"valid"}
    assert not any(held_out(one) for one in (*training, *valid))
    known = {key_of(one) for one in training}
    assert known.isdisjoint(benchmark)
    assert known.isdisjoint(key_of(one) for one in valid)
    assert max(one.seconds for one in training) <= SECONDS
    assert clips("train", 20, 10, 100) == [*training[:20], *training[300:310]]


# -- how it is taught ------------------------------------------------------------------------------------------------


@pytest.fixture
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


SMALL = Settings(width=96, layers=1, heads=2, inner=96)


def made(folder: Path, count: int = 24) -> tuple[Any, Heads, torch.Tensor, Targets]:
    """An untrained encoder in small, with what it is to learn from `count` clips."""
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    drawn = clips("valid", count, 0, 300)
    every = [told(one) for one in drawn]
    known = classes([*every * 15])
    torch.manual_seed(0)
    encoder, heads = WhisperEncoder(config(SMALL)), Heads(SMALL.width, known[0], known[1], len(known[2]))
    return encoder, heads, torch.from_numpy(features(drawn, folder)).float(), Targets.of(every, *known)


@pytest.mark.usefixtures("one_thread")
def test_a_spectrogram_without_its_end_is_encoded_as_transformers_encodes_the_whole(tmp_path: Path) -> None:
    encoder, _, spectrograms, _ = made(tmp_path, 4)
    with torch.no_grad():
        whole = encoder(spectrograms).last_hidden_state
        assert torch.equal(encode(encoder, spectrograms), whole)
        assert encode(encoder, spectrograms[..., :100]).shape == (4, 50, SMALL.width)


@pytest.mark.usefixtures("one_thread")
def test_steps_lower_the_loss_and_reach_every_weight_of_the_encoder(tmp_path: Path) -> None:
    encoder, heads, spectrograms, targets = made(tmp_path, 12)
    optims, losses, chosen = optimizers((encoder, heads), SMALL), [], list(range(12))
    for step in range(24):
        for optim in optims:
            optim.param_groups[0]["lr"] = 2e-3
            optim.zero_grad()
        loss = loss_of(heads, encode(encoder, spectrograms), targets, chosen)
        loss.backward()
        if step == 0:
            assert all(p.grad is not None and p.grad.any() for p in encoder.parameters() if p.requires_grad)
        losses.append(loss.item())
        for optim in optims:
            optim.step()
    assert losses[-1] < 0.7 * losses[0]


def test_a_batch_in_which_nothing_has_a_pitch_has_a_loss() -> None:
    two = [told(scene({"source": "rhythm"})), told(scene({"source": "rain", "length": 1.0}))]
    known = classes([*two * 20])
    heads, targets = Heads(SMALL.width, known[0], known[1], len(known[2])), Targets.of(two, *known)
    assert (targets.pitch == IGNORED).all()
    assert loss_of(heads, torch.randn(2, 20, SMALL.width), targets, [0, 1]).isfinite()


def test_frames_tell_what_sounds_when() -> None:
    one = told(scene({"source": "dog", "start": 1.0, "length": 1.0, "params": {"count": 1}}))
    targets = Targets.of([one], {}, {}, ["cat", "dog"])
    frames = targets.frames([0], 2)[0]
    assert frames.shape == (POSITIONS, 3)
    assert not frames[:, 0].any()
    assert frames[:, 1].nonzero().flatten().tolist() == list(range(25, 51))
    assert frames[:, 2].nonzero().flatten().tolist() == [25]
    assert targets.frames([0], 2, 30).shape == (1, 30, 3)


def test_a_pass_has_every_clip_once_and_cuts_no_clip_short() -> None:
    lengths = [1 + (37 * number) % 180 for number in range(640)]
    for cut in (True, False):
        found = list(batches(lengths, 32, 5, cut=cut))
        assert sorted(number for chosen, _ in found for number in chosen) == list(range(640))
        assert all(max(lengths[n] for n in chosen) <= positions <= POSITIONS for chosen, positions in found)
    cut_short = sum(positions for _, positions in batches(lengths, 32, 5, cut=True))
    assert cut_short < 0.7 * 20 * POSITIONS
    assert list(batches(lengths, 32, 5, cut=True)) == list(batches(lengths, 32, 5, cut=True))


# -- the encoder in lalm/lab-encoder ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def taps() -> Taps:
    return load(find(str(FOLDER), None))


def test_it_is_small_and_taken_for_a_whisper_of_eight_seconds(taps: Taps) -> None:
    assert (FOLDER / "model.safetensors").stat().st_size < 3_000_000
    assert taps.taps == (0, 1, 2, 3)
    assert taps.seconds == SECONDS
    assert taps.positions == POSITIONS
    assert (taps.frames, taps.extractor.feature_size, taps.width) == (FRAMES, BANDS, Settings().width)
    assert json.loads((FOLDER / "lab.json").read_text())["parameters"] < 1_500_000


def test_a_file_is_heard_as_the_training_heard_its_scene(taps: Taps, tmp_path: Path) -> None:
    one = scene({"source": "siren", "length": 2.0})
    write_wav(tmp_path / "a.wav", render(one), 16_000)
    (from_file,) = taps.features(chunks(tmp_path / "a.wav", taps.policy))
    (trained_on,) = extractor()(heard(one), sampling_rate=16_000, return_tensors="np").input_features
    assert np.array_equal(from_file.numpy(), trained_on)


SOURCES = ("dog", "siren", "rain", "knocks", "bird", "thunder", "cow", "engine", "claps", "phone")


def test_it_tells_sources_apart_that_an_untrained_one_confuses(taps: Taps) -> None:
    """Means of the last tap over time; a clip goes to the nearest mean of the sources' other clips."""
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    torch.manual_seed(1)
    untrained = Taps(WhisperEncoder(config(Settings())).eval(), taps.extractor)
    samples = [heard(scene({"source": name, "level_db": -28 - 6 * (n % 3)},
                           background={"source": "noise", "level_db": -50 + 3 * n}, seed=n))
               for n in range(6) for name in SOURCES]  # fmt: skip
    shares = {}
    for name, ears in (("trained", taps), ("untrained", untrained)):
        with torch.no_grad():
            means = ears(ears.features(samples))[-1][:, :60].mean(1).view(6, len(SOURCES), -1)
        centres, probes = means[:3].mean(0), means[3:].flatten(0, 1)
        nearest = torch.cdist(probes, centres).argmin(-1).view(3, -1)
        shares[name] = (nearest == torch.arange(len(SOURCES))).float().mean().item()
    assert shares["trained"] > 0.8
    assert shares["trained"] > shares["untrained"] + 0.1
