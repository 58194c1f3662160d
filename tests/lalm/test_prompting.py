"""Rows and batches: ids, labels and places, token by token, for the templates of four families."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from lalm_models import STYLES, tokenizer
from turns import turns_of, turns_of_messages

from akb.adapters.cards import Reasoning
from akb.adapters.rendering import Renderer
from akb.errors import AkbError
from akb.lalm.prompting import Heard, Prompting, Row, Turn, collate
from akb.lalm.recipe import PromptPart
from akb.types import Clip, Message

SPARE = {"llama": "<|reserved_special_token_87|>", "qwen": "<|video_pad|>", "phi": "<|dummy_87|>",
         "olmo": "<|extra_id_0|>"}  # fmt: skip
QUERIES = 3
SWITCH = Reasoning(can="switch", off={"enable_thinking": False}, on={"enable_thinking": True})


def prompting(style: str = "qwen", *, made: Any = None, **part: Any) -> Prompting:
    reasoning = SWITCH if style == "qwen" else Reasoning()
    renderer = Renderer(made or tokenizer(style), "chat", reasoning, "backbone made")
    return Prompting(renderer, PromptPart(**part), QUERIES)


def asked(content: str, *audios: tuple[str, Any]) -> tuple[Turn, ...]:
    told = [{"audio": key, "text": text} for key, text in audios]
    return turns_of([{"role": "system", "content": "Listen."}, {"role": "user", "content": content, "audios": told}])


@pytest.mark.parametrize("style", STYLES)
def test_ids_are_the_templates_own_with_one_token_replaced_by_the_block(style: str) -> None:
    made, ours = tokenizer(style), prompting(style, transcripts=False)
    assert ours.written == SPARE[style]
    spare = made.convert_tokens_to_ids(SPARE[style])
    content = f"Two bells:\n<start_audio>{SPARE[style]}<end_audio> and <start_audio>{SPARE[style]}<end_audio>.  Which?"
    messages = [{"role": "system", "content": "Listen."}, {"role": "user", "content": content}]
    whole = made.apply_chat_template(messages, add_generation_prompt=True, enable_thinking=False)["input_ids"]
    expected, places = list[int](), list[int]()
    for token in whole:
        if token == spare:
            places.append(len(expected))
        expected += [token] * (QUERIES if token == spare else 1)
    row = ours.row(asked("Two bells:\n<|AUDIO|> and <|AUDIO|>.  Which?", ("a.wav", None), ("b.wav", None)))
    assert row == Row(tuple(expected), (), tuple(places), ("a.wav", "b.wav"))
    assert len(places) == 2


@pytest.mark.parametrize("style", STYLES)
def test_labels_are_on_the_response_and_its_end_and_nowhere_else(style: str) -> None:
    made, ours = tokenizer(style), prompting(style)
    end = {"llama": "<|eot_id|>", "qwen": "<|im_end|>", "phi": "<|im_end|>", "olmo": "<|endoftext|>"}[style]
    row = ours.row(asked("What is it? <|AUDIO|>", ("a", "A bell.")), "A low hum.\nIt rises.")
    prompt = ours.row(asked("What is it? <|AUDIO|>", ("a", "A bell.")))
    answer = [*made("A low hum.\nIt rises.", add_special_tokens=False)["input_ids"], made.convert_tokens_to_ids(end)]
    assert row.ids == (*prompt.ids, *answer)
    assert row.labels == (*[-100] * len(prompt.ids), *answer)
    assert made.decode([label for label in row.labels if label != -100]) == f"A low hum.\nIt rises.{end}"
    assert prompt.labels == ()


@pytest.mark.parametrize("style", STYLES)
def test_what_is_learned_is_what_the_template_itself_writes_for_a_reply(style: str) -> None:
    made, ours = tokenizer(style), prompting(style)
    row = ours.row((Turn("system", ("Listen.",)), Turn("user", ("What is it?",))), "A bell.")
    told = [{"role": "system", "content": "Listen."}, {"role": "user", "content": "What is it?"},
            {"role": "assistant", "content": "A bell."}]  # fmt: skip
    text = made.decode(row.ids)
    if style == "qwen":
        text = text.replace("<think>\n\n</think>\n\n", "")  # the empty thinking stands in the prompt alone
    assert made.apply_chat_template(told, tokenize=False).startswith(text)


def test_transcripts_follow_the_vectors_cut_to_their_most_and_a_space_where_nobody_speaks() -> None:
    made, ours = tokenizer(), prompting(transcript_tokens=4)
    said = made("A violin has four strings and more.", add_special_tokens=False)["input_ids"]
    space = made(" ", add_special_tokens=False)["input_ids"]
    row = ours.row(asked("<|AUDIO|><|AUDIO|><|AUDIO|>", ("a", "A violin has four strings and more."), ("b", None),
                         ("c", "")))  # fmt: skip
    at = [place + QUERIES for place in row.places]
    assert list(row.ids[at[0] : at[0] + 4]) == said[:4]
    closing = made("<end_audio>", add_special_tokens=False)["input_ids"][0]
    assert [list(row.ids[start : start + 2]) for start in at[1:]] == [[*space, closing]] * 2
    assert row.ids[at[0] + 4] == closing


def test_marks_of_the_tokenizer_in_transcripts_and_responses_are_text() -> None:
    made, ours = tokenizer(), prompting()
    mark = made.convert_tokens_to_ids("<|im_end|>")
    plain = ours.row(asked("<|AUDIO|>", ("a", "bell")), "bell")
    marked = ours.row(asked("<|AUDIO|>", ("a", "<|im_end|>bell")), "bell<|im_end|>bell")
    assert marked.ids.count(mark) == plain.ids.count(mark)
    assert [label for label in marked.labels if label == mark] == [mark]


def test_a_placeholder_that_the_users_text_holds_is_not_taken_for_a_clip() -> None:
    ours = prompting(transcripts=False)
    row = ours.row(asked("What is <|video_pad|>? <|AUDIO|> <|video_pad|>", ("a", None)))
    alone = [place for place, token in enumerate(row.ids) if token == ours.placeholder]
    assert len(alone) == 2 + QUERIES
    assert row.places == (alone[1],)


def test_a_long_clip_is_several_blocks_with_transcripts_of_their_own() -> None:
    made, ours = tokenizer(), prompting()
    row = ours.row((Turn("user", ("Hear ", Heard("long", ("A bell.", None)), " and ", Heard("short"))),))
    assert row.clips == ("long#0", "long#1", "short")
    between = row.ids[row.places[0] + QUERIES : row.places[1]]
    assert made.decode(between) == "A bell.<end_audio><start_audio>"


def test_messages_of_akb_and_of_the_training_schema_make_the_same_row() -> None:
    clip = Clip("f" * 64, "a.wav")
    theirs = (Message("system", ("Listen.",)), Message("user", (clip, "What?")))
    ours = prompting()
    assert ours.row(turns_of_messages(theirs, {clip.sha256: Heard("a")})) == ours.row(asked("<|AUDIO|>What?",
                                                                                           ("a", None)))  # fmt: skip


def test_rows_without_audio_are_the_backbones_own() -> None:
    made, ours = tokenizer("llama"), prompting("llama")
    told = [{"role": "user", "content": "What is a bell?"}]
    row = ours.row((Turn("user", ("What is a bell?",)),))
    assert list(row.ids) == made.apply_chat_template(told, add_generation_prompt=True)["input_ids"]
    assert (row.places, row.clips) == ((), ())
    assert row.ids.count(made.bos_token_id) == 1


def test_responses_are_cut_to_the_longest_row_and_prompts_are_not() -> None:
    ours = prompting()
    whole = ours.row(asked("<|AUDIO|>", ("a", None)), "A low hum that rises.")
    cut = ours.row(asked("<|AUDIO|>", ("a", None)), "A low hum that rises.", longest=len(whole.ids) - 3)
    assert cut.ids == whole.ids[:-3]
    assert cut.labels == whole.labels[:-3]
    assert ours.end not in cut.labels
    with pytest.raises(AkbError, match=r"the prompt takes \d+ tokens, a row 10 at most"):
        ours.row(asked("<|AUDIO|>", ("a", None)), "A hum.", longest=10)


def test_thinking_is_off_unless_it_is_asked_for() -> None:
    made, ours = tokenizer(), prompting()
    assert "<think>\n\n</think>" in made.decode(ours.row(asked("a")).ids)
    assert "<think>" not in made.decode(ours.row(asked("a"), thinking="on").ids)


@pytest.mark.parametrize(("style", "eos", "wanted"), [("olmo", "<|im_end|>", "<|im_end|>"),
                                                      ("qwen", "</s>", "<|im_end|>")])  # fmt: skip
def test_the_end_is_what_the_template_writes_if_it_ends_a_reply(style: str, eos: str, wanted: str) -> None:
    made = tokenizer(style)
    made.eos_token = eos
    renderer = Renderer(made, "chat", Reasoning(), "made")
    ends = [made.convert_tokens_to_ids("<|im_end|>")]
    assert Prompting(renderer, PromptPart(), QUERIES, ends).end == made.convert_tokens_to_ids(wanted)


def test_a_backbone_without_chat_template_or_spare_token_is_an_error_that_names_the_setting() -> None:
    bare = tokenizer()
    bare.chat_template = None
    with pytest.raises(AkbError, match=r"no chat template[\s\S]*`backbone`"):
        Prompting(Renderer(bare, "chat", Reasoning(), "made"), PromptPart(), 1)
    from models import tokenizer as none_spare

    with pytest.raises(AkbError, match=r"kept in reserve[\s\S]*prompt\.placeholder"):
        prompting("llama", made=none_spare("none", "chat"))
    for wrong in ("bell", "<|no_such_token|>"):
        with pytest.raises(AkbError, match=r"prompt\.placeholder is"):
            prompting(placeholder=wrong)


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_batch_pads_on_its_side_and_holds_each_clip_once(side: Any) -> None:
    rows = [Row((5, 9, 9, 6, 7), (-100, -100, -100, -100, 7), (1,), ("a",)), Row((8,), (8,)),
            Row((9, 9, 5, 9, 9, 9, 9), (-100,) * 7, (0, 3, 5), ("b", "a", "b"))]  # fmt: skip
    features = {"a": torch.zeros(2, 4), "b": torch.ones(2, 4)}
    batch = collate(rows, 0, side, features=features, multiple=8)
    for number, row in enumerate(rows):
        kept = batch.attention[number].bool()
        assert tuple(batch.ids[number][kept].tolist()) == row.ids
        assert batch.labels is not None
        assert tuple(batch.labels[number][kept].tolist()) == row.labels
        assert kept[0 if side == "right" else -1]
    assert batch.ids.shape == (3, 8)
    assert batch.clip_of.tolist() == [0, 1, 0, 1]
    assert batch.clip_rows.tolist() == [0, 2, 2, 2]
    for row_number, start in zip(batch.clip_rows, batch.clip_starts, strict=True):
        assert batch.ids[row_number, start : start + 2].tolist() == [9, 9]
    assert batch.features is not None
    assert torch.equal(batch.features, torch.stack([features["a"], features["b"]]))


def test_a_batch_without_audio_or_labels_has_none() -> None:
    batch = collate([Row((1, 2)), Row((3,))], 0, features={})
    assert (batch.labels, batch.features, batch.taps) == (None, None, None)
    assert batch.clip_of.shape == (0,)


def test_taps_are_put_side_by_side() -> None:
    taps = {"a": torch.zeros(4, 6, 2), "b": torch.ones(4, 6, 2)}
    batch = collate([Row((9, 9), (), (0, 1), ("b", "a"))], 0, taps=taps)
    assert batch.taps is not None
    assert batch.taps.shape == (4, 2, 6, 2)
    assert batch.taps[0, :, 0, 0].tolist() == [1.0, 0.0]
