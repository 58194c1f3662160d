"""Whisper's transcripts, beside transformers' own generate for the same features, and figures worked out by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from whisper_models import (
    ID,
    LANGUAGES,
    TIMES,
    WORDS,
    adapter,
    answers,
    asking,
    clip,
    features,
    loaded,
    sound,
    tokenizer,
    write,
)

from akb.cascades import whisper
from akb.cascades.cards import Captioner
from akb.errors import AkbError
from akb.types import Clip, Decoding, Finish, Generate, Message, Response

SHORT = (2.0, 5.0, 3.3, 29.0, 0.5)
LONG = (65.0, 40.0, 31.0)
TOKENS = 20
TIMELESS = [5, 6, 7, *range(WORDS + 1, TIMES + 1501)]  # no marks and no timestamps


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that writes no timestamps of its own accord."""
    return write(tmp_path_factory.mktemp("whisper"), suppress_tokens=TIMELESS)


@pytest.fixture(scope="module")
def timed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that may write timestamps, as long clips need them."""
    return write(tmp_path_factory.mktemp("timed"))


def text(ids: Sequence[int]) -> str:
    return str(tokenizer().decode(list(ids), skip_special_tokens=True)).strip()


def texts(responses: Sequence[Response]) -> list[str | None]:
    return [response.text for response in responses]


def wanted(folder: Path, sounds: Sequence[Any], **told: Any) -> list[str]:
    """What transformers transcribes, clip by clip."""
    model = loaded(folder)
    how = {"max_new_tokens": TOKENS} | ({"task": "transcribe"} if model.generation_config.is_multilingual else {})
    found = []
    for samples in sounds:
        made = features([samples], long=len(samples) > 480_000)
        with torch.no_grad():
            ids = model.generate(made.input_features, attention_mask=made.attention_mask, **(how | told))
        found.append(text(ids[0].tolist()))
    return found


def clips(folder: Path, seconds: Sequence[float]) -> list[Clip]:
    return [clip(folder, length, number) for number, length in enumerate(seconds)]


def sounds(seconds: Sequence[float]) -> list[Any]:
    return [sound(length, number) for number, length in enumerate(seconds)]


def test_a_batch_says_what_transformers_says_of_each_clip(folder: Path, tmp_path: Path) -> None:
    side = adapter(folder)
    asked = [asking(one) for one in clips(tmp_path, SHORT)]
    assert len(side.plan(asked)) == 1
    found = texts(answers(side, asked))
    assert found == wanted(folder, sounds(SHORT))
    assert len(set(found)) >= 3  # they are not all the same


def test_the_language_is_heard_as_transformers_hears_it_and_kept(folder: Path, tmp_path: Path) -> None:
    found = [
        response.notes["language"] for response in answers(adapter(folder), [asking(c) for c in clips(tmp_path, SHORT)])
    ]
    ids = loaded(folder).detect_language(features(sounds(SHORT)).input_features).tolist()
    assert found == [LANGUAGES[id - ID["<|en|>"]] for id in ids]
    assert len(set(found)) > 1


@pytest.mark.parametrize(("task", "language"), [("transcribe", "fr"), ("translate", "german"), ("translate", None)])
def test_language_and_task_can_be_set(folder: Path, tmp_path: Path, task: str, language: str | None) -> None:
    side = adapter(folder, task=task, language=language)
    found = answers(side, [asking(one) for one in clips(tmp_path, SHORT)])
    assert texts(found) == wanted(folder, sounds(SHORT), task=task, language=language)
    if language is not None:
        assert {response.notes["language"] for response in found} == {"fr" if language == "fr" else "de"}


def test_a_language_that_the_model_does_not_know_is_refused_in_words(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(AkbError, match="does not know the language 'klingon'") as caught:
        answers(adapter(folder, language="klingon"), [asking(clip(tmp_path, 1.0))])
    assert "de, en, fr" in caught.value.fix


def test_a_model_of_english_alone_has_no_language(tmp_path: Path) -> None:
    only = write(tmp_path / "m", many=False, suppress_tokens=TIMELESS)
    found = answers(adapter(only), [asking(one) for one in clips(tmp_path, SHORT[:2])])
    assert texts(found) == wanted(only, sounds(SHORT[:2]))
    assert all("language" not in response.notes for response in found)


@pytest.mark.parametrize("after", [False, True])
def test_long_clips_are_transcribed_window_by_window_as_transformers_does(
    timed: Path, tmp_path: Path, after: bool
) -> None:
    side = adapter(timed, condition_on_previous=after, no_speech=None, batch_seconds=1000)
    found = answers(side, [asking(one, 400) for one in clips(tmp_path, LONG)])
    most = 20 if after else 44  # the model writes 48 at most, with 4 to begin with and half for the text before
    told = {"condition_on_prev_tokens": after, "return_timestamps": True, "max_new_tokens": most}
    assert texts(found) == wanted(timed, sounds(LONG), **told)
    assert all(response.notes["windows"] > 1 for response in found)


def test_windows_of_a_long_clip_without_speech_are_left_out_as_transformers_leaves_them_out(
    timed: Path, tmp_path: Path
) -> None:
    asked = [asking(one) for one in clips(tmp_path, LONG)]
    all_silent = answers(adapter(timed, no_speech=0.0, logprob=0.0), asked)
    assert texts(all_silent) == [""] * len(LONG)
    above, below = 0.999 * all_silent[0].notes["no_speech"], -0.01  # some windows of the first clip, not all
    found = answers(adapter(timed, no_speech=above, logprob=below), asked)
    told = {"return_timestamps": True, "temperature": 0.0, "no_speech_threshold": above, "logprob_threshold": below}
    assert texts(found) == wanted(timed, sounds(LONG), **told)
    silent = [(response.notes["silent_windows"], response.notes["windows"]) for response in found]
    assert any(0 < few < many for few, many in silent), silent
    assert all(("no_speech" in response.notes) == (few > 0) for response, (few, _) in zip(found, silent, strict=True))


def test_a_clip_is_without_speech_by_both_thresholds_of_the_paper(folder: Path, tmp_path: Path) -> None:
    model, heard = loaded(folder), clip(tmp_path, 5.0, 1)
    made = features([sound(5.0, 1)]).input_features
    with torch.no_grad():
        start = model(made, decoder_input_ids=torch.tensor([[ID["<|startoftranscript|>"]]])).logits[0, -1]
        p = float(start.softmax(-1)[ID["<|nospeech|>"]])
        ids = model.generate(made, task="transcribe", max_new_tokens=TOKENS)[0].tolist()
        mark = int(model.detect_language(made)[0])
        head = [ID["<|startoftranscript|>"], mark, ID["<|transcribe|>"], ID["<|notimestamps|>"]]
        logits = model(made, decoder_input_ids=torch.tensor([head + ids])).logits[0, len(head) - 1 : -1].clone()
    logits[:, TIMELESS] = -torch.inf
    logits[0, [220, ID["<|endoftext|>"]]] = -torch.inf
    logs = logits.log_softmax(-1)
    mean = sum(float(logs[place, token]) for place, token in enumerate(ids)) / len(ids)

    def heard_with(above: float, below: float) -> Response:
        return answers(adapter(folder, no_speech=above, logprob=below), [asking(heard)])[0]

    silent = heard_with(0.999 * p, mean + 1e-4)
    assert (silent.text, silent.finish) == ("", Finish.STOP)
    assert silent.notes["no_speech"] == pytest.approx(p, abs=1e-6)
    for above, below in ((1.001 * p, mean + 1e-4), (0.999 * p, mean - 1e-4)):
        spoken = heard_with(above, below)
        assert spoken.text == text(ids)
        assert "no_speech" not in spoken.notes


def test_a_window_goes_through_the_encoder_once(timed: Path, folder: Path, tmp_path: Path) -> None:
    def encoded(side: Any, heard: Clip, times: int) -> int:
        encoder, seen = side.model.model.get_encoder(), list[int]()
        hook = encoder.layer_norm.register_forward_hook(lambda *_: seen.append(1))
        [response] = answers(side, [asking(heard)])
        hook.remove()
        assert response.notes.get("windows", 1) >= times
        return len(seen) - int(response.notes.get("windows", 1))

    assert encoded(adapter(folder), clip(tmp_path, 5.0), 1) == 0
    assert encoded(adapter(timed), clip(tmp_path, 65.0), 3) == 0


def test_a_text_that_repeats_itself_is_tried_again_and_the_same_in_any_company(timed: Path, tmp_path: Path) -> None:
    args = {"temperatures": [0.0, 0.4, 1.0], "compression_ratio": 0.5}
    heard = clips(tmp_path, (5.0, 2.0, 31.0))
    together = texts(answers(adapter(timed, **args), [asking(one) for one in heard]))
    alone = [texts(answers(adapter(timed, **args), [asking(one)]))[0] for one in heard]
    assert together == alone
    assert together != texts(answers(adapter(timed), [asking(one) for one in heard]))


def test_a_reply_that_its_budget_ends_says_so(folder: Path, tmp_path: Path) -> None:
    [found] = answers(adapter(folder), [asking(clip(tmp_path, 2.0), 3)])
    assert (found.finish, found.completion_tokens) == (Finish.LENGTH, 3)


def test_a_long_clip_of_which_a_window_reached_its_budget_says_so(timed: Path, tmp_path: Path) -> None:
    [short] = answers(adapter(timed, no_speech=None), [asking(clip(tmp_path, 65.0), 3)])
    assert short.notes["windows"] > 1
    assert short.finish == Finish.LENGTH
    [silent] = answers(adapter(timed, no_speech=0.0, logprob=0.0), [asking(clip(tmp_path, 65.0), 3)])
    assert (silent.text, silent.finish) == ("", Finish.STOP)  # what was left out was not cut


def test_advice_for_a_captioner_names_its_own_settings(folder: Path, tmp_path: Path) -> None:
    side = whisper.build(Captioner(name="w", adapter="whisper", model=str(folder)), {"device": "cpu"})
    asked = [asking(clip(tmp_path, 2.0))]
    side.model.model.forward = _no_memory
    with pytest.raises(AkbError, match="too little memory") as caught:
        answers(side, asked)
    assert caught.value.where.startswith("captioner w")
    assert "--set captioner.dtype=bfloat16" in caught.value.fix
    assert "model." not in caught.value.fix


def _no_memory(*_: Any, **__: Any) -> None:
    raise torch.OutOfMemoryError("out of memory")


def test_a_clip_that_cannot_be_heard_is_the_error_of_its_request_alone(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.wav").write_bytes(b"")
    good = clip(tmp_path, 2.0)
    two = Generate((Message("user", (good, good)),), Decoding(max_tokens=TOKENS))
    none = Generate((Message("user", ("words alone",)),), Decoding(max_tokens=TOKENS))
    found = answers(adapter(folder), [asking(Clip("", str(tmp_path / "empty.wav"))), two, none, asking(good)])
    assert [response.finish == Finish.ERROR for response in found] == [True, True, True, False]
    assert "empty.wav" in found[0].error
    assert [response.notes.get("unhearable") for response in found] == ["empty", None, None, None]
    assert all("one clip" in response.error for response in found[1:3])
    assert found[3].text == wanted(folder, [sound(2.0)])[0]


def test_clips_of_one_window_never_share_a_batch_with_longer_ones(folder: Path, tmp_path: Path) -> None:
    seconds = (2.0, 31.0, 5.0, 65.0, 29.0)
    asked = [asking(one) for one in clips(tmp_path, seconds)]
    batches = adapter(folder, batch_seconds=120).plan(asked)
    assert sorted(place for batch in batches for place in batch) == list(range(5))
    for batch in batches:
        assert len({seconds[place] > 30 for place in batch}) == 1
        assert len(batch) * max(-(-seconds[place] // 30) for place in batch) * 30 <= 120
    cut = adapter(folder, batch_seconds=150, longest=30).plan(asked)
    assert len(cut) == 1


def test_whatever_moves_a_transcript_moves_the_fingerprint(folder: Path) -> None:
    ways: list[dict[str, Any]] = [
        {},
        {"language": "de"},
        {"task": "translate"},
        {"no_speech": None},
        {"logprob": -2},
        {"longest": 30},
        {"condition_on_previous": True},
        {"temperatures": [0.0, 0.5]},
        {"dtype": "bfloat16"},
    ]
    told = [json.dumps(adapter(folder, **way).fingerprint()) for way in ways]
    assert len(set(told)) == len(ways)
    assert all("soundfile" in one and str(folder) not in one for one in told)


def test_a_model_whose_tokens_are_not_named_is_refused_in_words(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    for file in folder.iterdir():
        if file.name != "generation_config.json":
            (tmp_path / "m" / file.name).write_bytes(file.read_bytes())
    with pytest.raises(AkbError, match="does not name Whisper's tokens"):
        answers(adapter(tmp_path / "m"), [asking(clip(tmp_path, 1.0))])


def test_transformers_says_nothing_on_the_terminal(
    timed: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    asked = [asking(clip(tmp_path, seconds)) for seconds in (2.0, 31.0)]
    capfd.readouterr()
    answers(adapter(timed), asked)
    assert capfd.readouterr() == ("", "")
