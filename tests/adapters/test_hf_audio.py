"""Audio-text models of transformers, beside their own generate and forward with prompts that are written out."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch
from audio_models import FAMILIES, RATE, adapter, by_hand, clip, samples, write
from models import answers, say, tokenizer, weights

from akb.adapters.hf_audio_hearing import AHEAD, ahead
from akb.audio import clip_of, read
from akb.errors import AkbError
from akb.types import Choose, Clip, Decoding, Finish, Generate, Message, Response

MARKS = {"qwen2_audio": "<|audio_bos|><|AUDIO|><|audio_eos|>\n", "audioflamingo3": "<sound>"}
SECONDS = (1.0, 0.7, 3.0, 1.9)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {family: write(tmp_path_factory.mktemp(family), family) for family in FAMILIES}


def prompt(family: str, *parts: str | None) -> str:
    """A conversation of one turn as the template has it; None is a clip."""
    said = "".join(MARKS[family] if part is None else part for part in parts)
    return f"<|im_start|>user\n{said}<|im_end|>\n<|im_start|>assistant\n"


def asking(*parts: Clip | str, **decoding: Any) -> Generate:
    return Generate((Message("user", parts),), Decoding(**({"max_tokens": 9} | decoding)))


def greedy(folder: Path, family: str, text: str, sounds: list[Any], tokens: int = 9) -> str:
    """What transformers itself replies."""
    model, told = by_hand(folder, family, text, sounds)
    with torch.no_grad():
        found = model.generate(**told, max_new_tokens=tokens, do_sample=False, pad_token_id=1)
    return str(tokenizer("none", also=_also(family)).decode(found[0, told["input_ids"].shape[1] :], True))


def _also(family: str) -> list[str]:
    return ["<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>"] if family == "qwen2_audio" else ["<sound>"]


def texts(responses: list[Response]) -> list[str | None]:
    return [response.text for response in responses]


@pytest.mark.parametrize("family", FAMILIES)
def test_replies_in_a_batch_are_what_the_model_replies_to_each_clip_alone(
    family: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    asked = [asking(clip(tmp_path, s, n), "What is it?") for n, s in enumerate(SECONDS)]
    side = adapter(folders[family])
    assert len(side.plan(asked)) == 1
    wanted = [
        greedy(folders[family], family, prompt(family, None, "What is it?"), [samples(s, n)])
        for n, s in enumerate(SECONDS)
    ]
    assert texts(answers(side, asked)) == wanted
    assert len(set(wanted)) == len(wanted)  # it hears a difference


@pytest.mark.parametrize("family", FAMILIES)
def test_log_probabilities_are_those_of_a_forward_written_by_hand(
    family: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    options = (" A", " B", " a low hum", " a low hum that rises")
    request = Choose((Message("user", (clip(tmp_path, 3.0), "Which?")),), tuple((text,) for text in options), "Answer:")
    [found] = answers(adapter(folders[family]), [request])
    start = prompt(family, None, "Which?") + "Answer:"
    for text, (score,) in zip(options, found.scores, strict=True):
        model, told = by_hand(folders[family], family, start + text, [samples(3.0)])
        before = by_hand(folders[family], family, start, [samples(3.0)])[1]["input_ids"].shape[1]
        with torch.no_grad():
            logs = model(**told).logits[0].float().log_softmax(-1)
        ids = told["input_ids"][0]
        by_ids = sum(float(logs[place - 1, ids[place]]) for place in range(before, len(ids)))
        assert math.isclose(score.logprob, by_ids, abs_tol=1e-4)
        assert score.tokens == len(ids) - before
    assert len({round(score.logprob, 2) for (score,) in found.scores}) == len(options)


def test_one_forward_is_enough_where_every_continuation_is_one_token(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    side = adapter(folders["qwen2_audio"])
    forward, calls = side.model.forward, list[int]()

    def counted(*args: Any, **told: Any) -> Any:
        calls.append(1)
        return forward(*args, **told)

    monkeypatch.setattr(side.model, "forward", counted)
    request = Choose((Message("user", (clip(tmp_path, 1.0), "Which?")),), ((" A",), (" B",)), "Answer:")
    answers(side, [request])
    assert len(calls) == 1


def test_several_clips_in_one_message_are_heard_in_their_order(folders: dict[str, Path], tmp_path: Path) -> None:
    one, two = clip(tmp_path, 1.0, 1), clip(tmp_path, 1.4, 2)
    found = texts(answers(adapter(folders["qwen2_audio"]), [asking(one, "or", two, "?"), asking(two, "or", one, "?")]))
    text = prompt("qwen2_audio", None, "or", None, "?")
    a, b = samples(1.0, 1), samples(1.4, 2)
    wanted = [greedy(folders["qwen2_audio"], "qwen2_audio", text, sounds) for sounds in ([a, b], [b, a])]
    assert found == wanted
    assert wanted[0] != wanted[1]


@pytest.mark.parametrize("family", FAMILIES)
def test_messages_without_a_clip_are_answered_as_text(family: str, folders: dict[str, Path], tmp_path: Path) -> None:
    asked = [asking("What is reed?"), asking(clip(tmp_path, 1.0), "What is it?"), asking("Which?")]
    found = texts(answers(adapter(folders[family]), asked))
    assert found[0] == greedy(folders[family], family, prompt(family, "What is reed?"), [])
    assert found[2] == greedy(folders[family], family, prompt(family, "Which?"), [])


def test_more_clips_than_the_processor_takes_are_the_error_of_that_request_alone(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    one, two = clip(tmp_path, 1.0, 1), clip(tmp_path, 1.4, 2)
    side = adapter(folders["audioflamingo3"])
    found = answers(side, [asking(one, "?"), asking(one, two, "?"), asking(two, "?")])
    assert [response.finish == Finish.ERROR for response in found] == [False, True, False]
    assert "2 audios" in found[1].error
    wanted = greedy(folders["audioflamingo3"], "audioflamingo3", prompt("audioflamingo3", None, "?"), [samples(1.4, 2)])
    assert found[2].text == wanted


def test_a_clip_that_cannot_be_heard_is_the_error_of_its_request_alone(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "text.wav").write_text("this is no sound")
    good = clip(tmp_path, 1.0)
    bad = [Clip("", str(tmp_path / "text.wav")), Clip("", str(tmp_path / "nowhere.wav")), Clip("0" * 64, good.path)]
    side = adapter(folders["qwen2_audio"])
    found = answers(side, [*(asking(one, "?") for one in bad), asking(good, "?")])
    assert [response.finish for response in found[:3]] == [Finish.ERROR] * 3
    named = zip(found, ("text.wav", "nowhere.wav", "changed"), strict=False)
    assert all(word in response.error for response, word in named)
    assert texts(found)[3] == texts(answers(side, [asking(good, "?")]))[0]


def test_clips_are_resampled_to_the_rate_of_the_models_feature_extractor(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    path = tmp_path / "cd.flac"
    soundfile.write(path, samples(2.0, 5).repeat(3)[: 2 * 44_100], 44_100)
    side = adapter(folders["qwen2_audio"])
    [found] = answers(side, [asking(clip_of(path), "?")])
    assert side.policy.rate == RATE
    heard = read(path, side.policy).samples
    assert len(heard) == 2 * RATE
    assert found.text == greedy(folders["qwen2_audio"], "qwen2_audio", prompt("qwen2_audio", None, "?"), [heard])


def test_a_clip_is_cut_to_the_cards_longest_and_the_reply_says_so(folders: dict[str, Path], tmp_path: Path) -> None:
    side = adapter(folders["qwen2_audio"], longest=1.0)
    [found] = answers(side, [asking(clip(tmp_path, 1.9, 3), "?")])
    cut = samples(1.9, 3)[:RATE]
    assert found.text == greedy(folders["qwen2_audio"], "qwen2_audio", prompt("qwen2_audio", None, "?"), [cut])
    assert math.isclose(found.notes["audio"]["cut_seconds"], 0.9, abs_tol=1e-6)


def test_what_is_drawn_depends_on_the_request_alone(folders: dict[str, Path], tmp_path: Path) -> None:
    asked = [asking(clip(tmp_path, 1.0, n), "?", temperature=1.0, draw=draw) for n in range(2) for draw in range(2)]
    together = texts(answers(adapter(folders["qwen2_audio"]), asked))
    alone = [texts(answers(adapter(folders["qwen2_audio"]), [request]))[0] for request in asked]
    assert together == alone
    assert len(set(together)) == len(asked)


def test_a_reply_is_cut_at_a_stop(folders: dict[str, Path], tmp_path: Path) -> None:
    side, heard = adapter(folders["qwen2_audio"]), clip(tmp_path, 1.0)
    [whole] = answers(side, [asking(heard, "?", max_tokens=12)])
    assert whole.text is not None
    stop = next(c for c in whole.text[3:] if c.isascii() and c.isalpha())
    [cut] = answers(side, [asking(heard, "?", max_tokens=12, stop=(stop,))])
    assert cut.text == whole.text[: whole.text.index(stop)]
    assert (whole.finish, cut.finish) == (Finish.LENGTH, Finish.STOP)
    assert cut.completion_tokens <= whole.completion_tokens


def test_whatever_moves_a_reply_moves_the_fingerprint(folders: dict[str, Path], tmp_path: Path) -> None:
    base = json.dumps(adapter(folders["qwen2_audio"]).fingerprint())
    assert "soxr" in base
    assert str(tmp_path.parent) not in base
    others = [adapter(folders["qwen2_audio"], **args) for args in ({"longest": 5}, {"dtype": "bfloat16"})]
    changed = write(tmp_path / "m", "qwen2_audio")
    template = changed / "chat_template.jinja"
    template.write_text(template.read_text().replace("user", "User") + "\n")
    told = {json.dumps(one.fingerprint()) for one in (*others, adapter(changed))}
    assert len({base, *told}) == 4


def test_a_model_that_only_reads_is_refused_in_words(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    weights("llama").save_pretrained(folder)
    tokenizer("adds", "chat").save_pretrained(folder)
    with pytest.raises(AkbError, match=r"takes no audio|processor cannot be loaded"):
        answers(adapter(folder), [asking(clip(tmp_path, 1.0), "?")])


def test_a_model_without_a_chat_template_is_refused_in_words(tmp_path: Path) -> None:
    folder = write(tmp_path / "m", "audioflamingo3")
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(AkbError, match="no chat template"):
        answers(adapter(folder), [asking(clip(tmp_path, 1.0), "?")])


def test_the_fingerprint_is_known_without_torch(folders: dict[str, Path]) -> None:
    program = (
        "import sys; from akb.adapters import hf_audio; from akb.adapters.cards import Card\n"
        f"card = Card(name='tiny', adapter='hf-audio', model={str(folders['qwen2_audio'])!r})\n"
        "told = hf_audio.build(card, {'device': 'cpu'}).fingerprint()\n"
        "print(told['decoding'][:8], 'torch' in sys.modules, 'transformers' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["16000", "Hz", "False", "False"]


def test_half_precision_comes_near_to_single(folders: dict[str, Path], tmp_path: Path) -> None:
    request = Choose((Message("user", (clip(tmp_path, 1.0), "Which?")),), ((" A",), (" B",)), "Answer:")
    full, half = (answers(adapter(folders["qwen2_audio"], dtype=d), [request])[0] for d in ("float32", "bfloat16"))
    for (a,), (b,) in zip(full.scores, half.scores, strict=True):
        assert abs(a.logprob - b.logprob) < 0.5


# -- ahead -----------------------------------------------------------------------------------------------------


def test_work_is_done_ahead_in_order_and_no_further_than_said() -> None:
    taken, done = list[int](), list[int]()

    def items() -> Iterator[int]:
        for item in range(8):
            taken.append(item)
            yield item

    def squared(item: int) -> int:
        done.append(item)
        return item * item

    found = ahead(items(), squared)
    assert next(found) == 0
    assert len(taken) == AHEAD + 1
    assert list(found) == [item * item for item in range(1, 8)]
    assert done == list(range(8))


def test_work_goes_on_while_the_consumer_is_busy() -> None:
    second = threading.Event()
    found = ahead([0, 1, 2, 3], lambda item: second.set() if item == 1 else None)
    next(found)
    assert second.wait(5)


def test_what_fails_ahead_fails_when_it_is_wanted_and_leaving_early_ends_the_work() -> None:
    def work(item: int) -> int:
        if item == 1:
            raise ValueError("bad")
        return item

    found = ahead(range(4), work)
    assert next(found) == 0
    with pytest.raises(ValueError, match="bad"):
        next(found)
    slow = ahead(range(100), lambda item: time.sleep(0.01))
    next(slow)
    before = threading.active_count()
    slow.close()  # type: ignore[attr-defined]
    assert threading.active_count() < before


def test_turns_of_the_model_stand_where_they_were_said(folders: dict[str, Path], tmp_path: Path) -> None:
    turns = (say("What is it?"), say("a drum", "assistant"), Message("user", (clip(tmp_path, 1.0), "And this?")))
    [found] = answers(adapter(folders["qwen2_audio"]), [Generate(turns, Decoding(max_tokens=9))])
    said = "<|im_start|>user\nWhat is it?<|im_end|>\n<|im_start|>assistant\na drum<|im_end|>\n"
    text = said + prompt("qwen2_audio", None, "And this?")
    assert found.text == greedy(folders["qwen2_audio"], "qwen2_audio", text, [samples(1.0)])
