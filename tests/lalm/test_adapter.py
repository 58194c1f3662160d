"""Asking a grounded model: from text as its backbone, from audio as a forward by hand has it; end to end."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from asked import OPTIONS, ByHand, adapter, audio_task, choose, clip, grounded, heard, samples, user
from models import PROMPTS, answers, battery, logprobs
from turns import turns_of_messages

import akb
from akb.adapters import hf, lalm
from akb.adapters.cards import Card
from akb.adapters.lalm_vectors import Vectors, ids_of
from akb.errors import AkbError
from akb.lalm.model import Lalm
from akb.lalm.prompting import Batch, Heard
from akb.records import read_responses
from akb.types import Choose, Clip, Decoding, Finish, Generate, Message, Response

KINDS = ("qwen2", "llama", "gemma2", "mamba")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {kind: grounded(tmp_path_factory.mktemp(kind), kind) for kind in KINDS}


@pytest.fixture(scope="module")
def tiny(folders: dict[str, Path]) -> Iterator[lalm.LALM]:
    side = adapter(folders["qwen2"])
    yield side
    side.close()


def generate(*parts: str | Clip, **decoding: Any) -> Generate:
    return Generate(user(*parts), Decoding(**({"max_tokens": 9} | decoding)))


def texts(responses: list[Response]) -> list[str | None]:
    assert all(response.finish != Finish.ERROR for response in responses)
    return [response.text for response in responses]


# -- from text --


@pytest.mark.parametrize("kind", KINDS)
def test_without_audio_it_scores_and_replies_as_its_backbone_does(kind: str, folders: dict[str, Path]) -> None:
    card = Card(name="backbone", adapter="hf", model=str(folders[kind].parents[2] / "llm"))
    alone = hf.build(card, {"device": "cpu", "dtype": "float32"})
    side = adapter(folders[kind])
    ours, theirs = (logprobs(answers(one, battery())) for one in (side, alone))
    assert len(set(map(round, theirs))) > 5
    assert all(math.isclose(a, b, abs_tol=1e-4) for a, b in zip(ours, theirs, strict=True))
    assert texts(answers(side, PROMPTS)) == texts(answers(alone, PROMPTS))


def test_lora_that_changes_nothing_yet_leaves_it_the_backbone(tmp_path: Path) -> None:
    folder = grounded(tmp_path, lora={"r": 2, "alpha": 4})
    card = Card(name="backbone", adapter="hf", model=str(tmp_path / "llm"))
    alone = hf.build(card, {"device": "cpu", "dtype": "float32"})
    ours, theirs = (logprobs(answers(one, battery())) for one in (adapter(folder), alone))
    assert all(math.isclose(a, b, abs_tol=1e-4) for a, b in zip(ours, theirs, strict=True))


# -- from audio --


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("engine", ["auto", "plain"])
def test_log_probabilities_are_those_of_a_forward_by_hand(
    kind: str, engine: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    """Several questions in a batch, of which two share a clip."""
    by_hand, clips = ByHand(folders[kind], kind), [clip(tmp_path, n, 0.5 + 0.4 * n) for n in range(3)]
    asked = [choose(one, text) for one in clips for text in ("Which?", "What is it that is heard?")]
    found = answers(adapter(folders[kind], engine=engine), asked)
    seen = set()
    for request, response in zip(asked, found, strict=True):
        own, text = request.messages[0].parts
        assert isinstance(own, Clip)
        assert isinstance(text, str)
        start = by_hand.prompt(None, text) + "Answer:"
        for option, (score,) in zip(OPTIONS, response.scores, strict=True):
            wanted, tokens = by_hand.logprob(start, option, [(heard(own), " ")])
            assert math.isclose(score.logprob, wanted, abs_tol=2e-4)
            assert score.tokens == tokens
            seen.add(round(score.logprob, 2))
    assert len(seen) > 16  # it hears a difference


@pytest.mark.parametrize("kind", KINDS)
def test_replies_in_a_batch_are_those_that_each_prompt_gets_alone(
    kind: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    by_hand, side = ByHand(folders[kind], kind), adapter(folders[kind])
    clips = [clip(tmp_path, n, 0.5 + 0.4 * n) for n in range(3)]
    said = ["What is it?", "What?", "Which of these sounds has the highest pitch?"]
    asked = [generate(one, text) for one, text in zip(clips, said, strict=True)]
    assert len(side.plan(asked)) == 1
    wanted = [
        by_hand.reply(by_hand.prompt(None, text), [(heard(one), " ")], 9) for one, text in zip(clips, said, strict=True)
    ]
    assert texts(answers(side, asked)) == wanted
    assert len(set(wanted)) > 1


def test_a_batch_with_and_without_audio_gives_what_each_gives_alone(folders: dict[str, Path], tmp_path: Path) -> None:
    asked: list[Choose | Generate] = [choose("Which?"), choose(clip(tmp_path, 1), "Which?"), choose("Which has reeds?")]
    together, alone = adapter(folders["qwen2"]), adapter(folders["qwen2"], batch_tokens=1)
    assert [len(side.plan(asked)) for side in (together, alone)] == [1, 3]
    pairs = zip(logprobs(answers(together, asked)), logprobs(answers(alone, asked)), strict=True)
    assert all(math.isclose(a, b, abs_tol=1e-4) for a, b in pairs)


def test_several_clips_are_heard_where_they_stand(folders: dict[str, Path], tmp_path: Path) -> None:
    by_hand, one, two = ByHand(folders["qwen2"]), clip(tmp_path, 1), clip(tmp_path, 2, 1.4)
    found = answers(adapter(folders["qwen2"]), [choose(one, "or", two, "?"), choose(two, "or", one, "?")])
    start = by_hand.prompt(None, "or", None, "?") + "Answer:"
    blocks = [(heard(one), " "), (heard(two), " ")]
    for response, order in zip(found, (blocks, blocks[::-1]), strict=True):
        wanted = [by_hand.logprob(start, option, order)[0] for option in OPTIONS]
        assert all(math.isclose(a, b, abs_tol=2e-4) for a, b in zip(logprobs([response]), wanted, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_the_prompt_is_the_one_that_training_writes(kind: str, folders: dict[str, Path], tmp_path: Path) -> None:
    side, one, long = adapter(folders[kind]), clip(tmp_path, 1), clip(tmp_path, 2, 4.5)
    mark = side.prompting.written
    for messages in (
        user(one, "Which?"),
        (Message("system", ("Listen.",)), *user("First ", long, " then ", one, f" and {mark}?")),
    ):
        known = {one.sha256: Heard(one.sha256), long.sha256: Heard(long.sha256, (None, None, None))}
        row = side.prompting.row(turns_of_messages(messages, known))
        assert side.preview(Generate(messages)).ids == row.ids
        ids = side.renderer.encode(Generate(messages)).prompt
        beyond = [n for n, token in enumerate(ids) if token > 10**6]
        assert beyond == [place + n for place in row.places for n in range(side.prompting.queries)]


@pytest.mark.parametrize(("start", "end"), [("Audio Caption:", "\n\n"), ("\n", ""), (" \ue000", "\ue000 ")])
def test_a_template_that_trims_text_trims_no_mark_of_a_clip(start: str, end: str, tmp_path: Path) -> None:
    """As in training, wherever the clip stands; a text may hold what marks its place."""
    side, one = adapter(grounded(tmp_path, "llama", prompt={"start": start, "end": end})), clip(tmp_path, 1)
    for parts in ((one, "Which? "), (" Which? ", one), (one,), (one, "\ue000", one)):
        messages = (Message("system", (" Listen. ",)), *user(*parts))
        row = side.prompting.row(turns_of_messages(messages, {one.sha256: Heard(one.sha256)}))
        assert side.preview(Generate(messages)).ids == row.ids
        scored = side.renderer.encode(Choose(messages, ((" A",),), "\ue000Answer:")).prompt
        assert len(scored) > len(row.ids)


def test_a_clip_is_encoded_once_whatever_is_asked_of_it(folders: dict[str, Path], tmp_path: Path) -> None:
    side, one, two = adapter(folders["qwen2"]), clip(tmp_path, 1), clip(tmp_path, 2)
    encoded = list[int]()
    _ = side._model
    ear = side._grounded.model.encoder
    assert ear is not None
    ear.encoder.conv1.register_forward_hook(lambda _, inputs, __: encoded.append(len(inputs[0])))
    answers(side, [choose(c, text) for text in ("Which?", "What?", "What is it?") for c in (one, two)])
    answers(side, [generate(one, "And this?")])
    assert encoded == [2]


def test_vectors_that_were_dropped_are_made_again(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = [choose(clip(tmp_path, n), text) for text in ("Which?", "What?") for n in range(3)]
    plenty = logprobs(answers(adapter(folders["qwen2"]), asked))
    monkeypatch.setattr(lalm, "KEPT", 1)
    scarce = adapter(folders["qwen2"], batch_tokens=1)
    found = logprobs(answers(scarce, asked))
    assert len(scarce._vectors._kept) == 1
    assert all(math.isclose(a, b, abs_tol=1e-4) for a, b in zip(found, plenty, strict=True))


def test_of_vectors_those_go_first_whose_use_is_longest_ago_and_never_a_batchs_own() -> None:
    known = Vectors(2, most=2 * 2 * 4 * 4)  # two chunks of two vectors of four numbers
    for key in "abc":
        known.put(key, torch.full((2, 4), float(ord(key))))
        known.use("a" if key == "b" else key)
    assert [key in known for key in "abc"] == [True, False, True]
    known.use("ac")
    known.put("d", torch.zeros(2, 4))
    known.use("acd")
    assert all(key in known for key in "acd")
    layer = torch.nn.Embedding(5, 4)
    known.put_into(layer)
    found = layer(torch.tensor([[3, *ids_of("c", 2), *ids_of("a", 2)]]))[0, :, 0].tolist()
    assert found[1:] == [99.0, 99.0, 97.0, 97.0]
    with pytest.raises(RuntimeError, match="was not heard"):
        layer(torch.tensor([ids_of("z", 2)]))


def test_a_worked_example_with_a_clip_is_read_once_for_all_questions(folders: dict[str, Path], tmp_path: Path) -> None:
    """What comes before the last turn is alike, vectors included; by itself each question gives the same."""
    shown = clip(tmp_path, 9)
    before = (Message("system", ("You are asked about sounds.",)), *user(shown, "Which?"),
              Message("assistant", ("Answer: A",)))  # fmt: skip
    options = tuple((text,) for text in OPTIONS)
    asked = [Choose((*before, *user(clip(tmp_path, n), "Which?")), options, "Answer:") for n in range(4)]
    side, alone = adapter(folders["qwen2"]), adapter(folders["qwen2"], engine="plain")
    found = logprobs(answers(side, asked))
    assert side._scorer._prefix is not None
    assert sum(token > 10**6 for token in side._scorer._prefix.ids) == side.prompting.queries
    assert found == pytest.approx(logprobs(answers(alone, asked)), abs=2e-4)


def test_a_batch_whose_clips_memory_cannot_hold_is_split(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = [choose(clip(tmp_path, n), "Which?") for n in range(4)]
    wanted = logprobs(answers(adapter(folders["qwen2"]), asked))
    side, plain, tried = adapter(folders["qwen2"]), Lalm.audio, list[int]()

    def audio(model: Lalm, batch: Batch) -> torch.Tensor:
        assert batch.features is not None
        tried.append(len(batch.features))
        if len(batch.features) > most:
            raise torch.OutOfMemoryError
        return plain(model, batch)

    monkeypatch.setattr(Lalm, "audio", audio)
    most = 1
    assert logprobs(answers(side, asked)) == pytest.approx(wanted, abs=1e-4)
    assert sorted(tried) == [1, 1, 1, 1, 2, 2, 4]
    most = 0
    with pytest.raises(AkbError, match="too little memory") as error:
        answers(adapter(folders["qwen2"]), asked)
    assert "model.longest=2" in str(error.value)


# -- long, missing, described --


@pytest.mark.parametrize("told", [None, 0.0])
def test_a_clip_beyond_the_encoders_length_is_heard_in_blocks(
    told: float | None, folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where its header told of another length."""
    by_hand, long = ByHand(folders["qwen2"]), clip(tmp_path, 3, 4.5)
    if told is not None:
        monkeypatch.setattr("akb.adapters.lalm_hearing.length", lambda _: told)
    asked = [choose(long, "Which?"), choose("Which?"), choose(clip(tmp_path, 1), "Which?")]
    found = answers(adapter(folders["qwen2"], batch_tokens=1), asked)
    assert found[0].notes["audio"] == {"chunks": 3}
    assert "audio" not in found[2].notes
    sound = samples(4.5, 3)
    start = by_hand.prompt(None, None, None, "Which?") + "Answer:"
    pieces = [(sound[at : at + 32_000], " ") for at in (0, 32_000, 64_000)]
    wanted = [by_hand.logprob(start, option, pieces)[0] for option in OPTIONS]
    assert all(math.isclose(a, b, abs_tol=2e-4) for a, b in zip(logprobs(found[:1]), wanted, strict=True))


def test_no_more_than_the_setting_says_is_heard_of_a_clip(folders: dict[str, Path], tmp_path: Path) -> None:
    long, short = clip(tmp_path, 3, 4.5), clip(tmp_path, 3, 1.5)
    cut = adapter(folders["qwen2"], longest=1.5)
    found = answers(cut, [choose(long, "Which?")])
    assert found[0].notes["audio"]["cut_seconds"] == 3.0
    plain = answers(adapter(folders["qwen2"]), [choose(short, "Which?"), choose(long, "Which?")])
    assert logprobs(found) == pytest.approx(logprobs(plain[:1]), abs=1e-4)  # it is the beginning of the long one
    assert logprobs(found) != pytest.approx(logprobs(plain[1:]), abs=1e-2)
    [refused] = answers(adapter(folders["qwen2"], longest=1.5, beyond="refuse"), [choose(long, "Which?")])
    assert refused.finish == Finish.ERROR
    assert "1.5 s" in refused.error
    side = adapter(folders["qwen2"], beyond="refuse")  # by itself: what is no more than one block is heard
    refused, heard_ = answers(side, [choose(long, "Which?"), choose(clip(tmp_path, 3, 1.9), "Which?")])
    assert (refused.finish == Finish.ERROR, heard_.finish == Finish.ERROR) == (True, False)
    assert "2 s" in refused.error


def test_a_clip_that_cannot_be_heard_is_the_error_of_its_own_questions(tiny: lalm.LALM, tmp_path: Path) -> None:
    good, bad, changed = clip(tmp_path, 1), clip(tmp_path, 2), clip(tmp_path, 4)
    Path(bad.path).write_bytes(b"no audio")
    shutil.copy(clip(tmp_path, 5).path, changed.path)
    gone = Clip("0" * 64, str(tmp_path / "gone.wav"))
    asked = [choose(one, "Which?") for one in (good, bad, gone, changed)] + [choose(good, bad, "?"), choose("Which?")]
    found = answers(tiny, asked)
    assert [response.finish == Finish.ERROR for response in found] == [False, True, True, True, True, False]
    assert "gone.wav" in found[2].error
    assert "changed" in found[3].error
    assert logprobs(found[:1]) == pytest.approx(logprobs(answers(tiny, asked[:1])), abs=1e-4)


def test_transcripts_stand_behind_the_vectors(folders: dict[str, Path], tmp_path: Path) -> None:
    by_hand, one, two = ByHand(folders["qwen2"]), clip(tmp_path, 1), clip(tmp_path, 2)
    file = tmp_path / "captions.jsonl"
    file.write_text(json.dumps({"audio": one.sha256, "caption": "Rain on a tin roof"}) + "\n")
    side = adapter(folders["qwen2"], transcripts=str(file))
    found = answers(side, [choose(one, "Which?"), choose(two, "Which?")])
    start = by_hand.prompt(None, "Which?") + "Answer:"
    for response, own, said in zip(found, (one, two), ("Rain on a tin roof", " "), strict=True):
        wanted = [by_hand.logprob(start, option, [(heard(own), said)])[0] for option in OPTIONS]
        assert all(math.isclose(a, b, abs_tol=2e-4) for a, b in zip(logprobs([response]), wanted, strict=True))
    assert found[0].notes == {}
    assert found[1].notes == {"audio": {"transcript": None}}
    assert side.fingerprint()["transcripts"] != adapter(folders["qwen2"]).fingerprint()["transcripts"] is None


# -- replies --


def test_replies_end_at_stop_texts_and_budgets(tiny: lalm.LALM, tmp_path: Path) -> None:
    one = clip(tmp_path, 1)
    [whole] = answers(tiny, [generate(one, "What?", max_tokens=20)])
    assert whole.text is not None
    [short] = answers(tiny, [generate(one, "What?", max_tokens=3)])
    assert short.completion_tokens == 3
    assert whole.text.startswith(str(short.text))
    stop = whole.text[len(whole.text) // 2]
    [stopped] = answers(tiny, [generate(one, "What?", max_tokens=20, stop=(stop,))])
    assert stopped.text == whole.text.split(stop)[0]
    assert stopped.finish == Finish.STOP


def test_what_is_drawn_depends_on_the_clip_and_on_nothing_beside_it(folders: dict[str, Path], tmp_path: Path) -> None:
    clips = [clip(tmp_path, n) for n in range(4)]
    asked = [generate(one, "What?", temperature=1.0, draw=draw) for one in clips for draw in range(2)]
    together = texts(answers(adapter(folders["qwen2"]), asked))
    alone = adapter(folders["qwen2"], batch_tokens=1)
    assert [texts(answers(alone, [one]))[0] for one in reversed(asked)] == together[::-1]
    assert len(set(together)) > 4


def test_when_closed_it_gives_the_model_back_and_can_be_asked_again(folders: dict[str, Path], tmp_path: Path) -> None:
    side, asked = adapter(folders["qwen2"]), [choose(clip(tmp_path, 1), "Which?")]
    first = logprobs(answers(side, asked))
    side.close()
    assert not side.__dict__.keys() & {"_model", "_grounded", "_scorer"}
    assert not len(side._vectors._kept)
    assert logprobs(answers(side, asked)) == pytest.approx(first, abs=1e-5)


# -- end to end --


@pytest.mark.parametrize("protocol", ["akb-v1-loglik", "akb-v1"])
def test_a_run_from_audio_with_its_controls(protocol: str, folders: dict[str, Path], tmp_path: Path) -> None:
    model, runs = f"lalm:{folders['qwen2']}", {}
    audio_task(tmp_path / "tasks" / "sounds")
    args: dict[str, Any] = {"protocol": protocol, "include": [tmp_path], "model_args": {"device": "cpu"}}
    if protocol == "akb-v1":
        args["protocol_args"] = {"max_tokens": 8}
    for listen in ("audio", "none", "silence", "shuffled"):
        out = tmp_path / "out" / listen
        runs[listen] = akb.evaluate(model, "sounds", listen=listen, out=out, **args)
        lines = list(read_responses(out))
        assert len({line.trial for line in lines}) == 6
        assert not [line for line in lines if line.response.finish == Finish.ERROR]
    said = {
        listen: [(line.response.text, line.response.scores) for line in read_responses(tmp_path / "out" / listen)]
        for listen in runs
    }
    assert all(said["audio"] != said[other] for other in ("none", "silence", "shuffled"))
    again = akb.evaluate(model, "sounds", listen="audio", out=tmp_path / "again", **args)
    assert all(line.cached for line in read_responses(tmp_path / "again"))
    assert again.summary == runs["audio"].summary
