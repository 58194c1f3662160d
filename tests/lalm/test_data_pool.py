"""Prompt pools: ours holds what it promises, and what is drawn for a clip follows from the clip alone."""

from __future__ import annotations

import re
from collections import Counter
from difflib import SequenceMatcher
from itertools import combinations
from typing import Any

import pytest

from akb import content
from akb.errors import AkbError
from akb.lalm.data.filtering import LEAST
from akb.lalm.data.pool import Pool, check_fits, find
from akb.strict import parse

POOL = find("pool-v1", content.roots())
TEMPLATE = {"name": "t", "user": "{start}{description}{end} {prompt}", "trained": "{clip} {prompt}"}


def pool(*groups: dict[str, Any], **told: Any) -> Pool:
    return parse(Pool, {"name": "p", "version": "1", "template": TEMPLATE, "groups": list(groups), **told}, "test")


def group(kind: str, *prompts: str, type: str = "question", **told: Any) -> dict[str, Any]:
    return {"kinds": [kind], "type": type, "prompts": list(prompts), **told}


def test_our_pool_has_over_two_hundred_prompts_of_every_type_for_every_kind() -> None:
    assert len(POOL.prompts) >= 240
    for kind in ("speech", "sound", "music"):
        types = Counter(prompt.type for prompt in POOL.prompts if prompt.fits(kind, ()))
        assert set(types) == set(LEAST)
        assert min(types.values()) >= 10, (kind, types)
    assert sum(prompt.reasoning for prompt in POOL.prompts) >= 40
    assert all(prompt.reasoning == (prompt.type == "reason") for prompt in POOL.prompts)


def test_no_two_prompts_of_our_pool_say_nearly_the_same() -> None:
    plain = [" ".join(re.findall(r"\w+", prompt.text.casefold())) for prompt in POOL.prompts]
    assert len(set(plain)) == len(plain)
    for one, other in combinations(plain, 2):
        alike = SequenceMatcher(None, one, other, autojunk=False)
        assert alike.quick_ratio() < 0.8 or alike.ratio() < 0.8, (one, other)


def test_no_prompt_presumes_what_may_not_be_there() -> None:
    """Words that take a kind of audio, or a piece of knowledge, for granted stand only where that is there."""
    for prompt in POOL.prompts:
        words = set(re.findall(r"\w+", prompt.text.casefold()))
        asks = re.match(r"is|does|do|could|would|answer yes or no", prompt.text, re.IGNORECASE)
        if prompt.kinds == ("any",) and not asks:
            assert not words & {"song", "singer", "instrument", "instruments", "speaker", "spoken", "melody"}, (
                prompt.text
            )
        if words & {"song", "genre", "instruments", "tempo"}:
            assert prompt.kinds == ("music",), prompt.text
        if words & {"utterance", "spoken", "speech", "uttered"} and not asks and prompt.kinds != ("speech",):
            raise AssertionError(prompt.text)
        for word, need in {
            "genre": "genre",
            "instruments": "instrument",
            "emotion": "emotion",
            "accent": "accent",
        }.items():
            if word in words:
                assert need in prompt.needs, prompt.text
        if words & {"translate", "utterance", "wording"} or "is said" in prompt.text or "is being said" in prompt.text:
            assert "text" in prompt.needs, prompt.text
        assert not words & {"text", "description", "transcript", "metadata"} - _allowed(prompt.text), prompt.text


def _allowed(text: str) -> set[str]:
    """Words of what is to be written, not of what is given."""
    return {"description"} if "your description" in text else {"text"} if "Write a text message" in text else set()


def test_draws_follow_from_clip_and_seed_and_fewer_are_the_first_of_more() -> None:
    for clip in ("a", "b", "c"):
        drawn = POOL.draw(clip, "speech", ("text",), 8, seed=3)
        assert len({prompt.id for prompt in drawn}) == 8
        assert POOL.draw(clip, "speech", ("text",), 3, seed=3) == drawn[:3]
    draws = {tuple(p.id for p in POOL.draw(c, "music", (), 3, s)) for c in ("a", "b") for s in (0, 1)}
    assert len(draws) == 4


def test_types_are_drawn_alike_however_many_prompts_they_have() -> None:
    types: Counter[str] = Counter(POOL.draw(str(n), "speech", ("text",), 1, 0)[0].type for n in range(1000))
    assert all(150 < types[name] < 250 for name in LEAST), types  # 200 each, sd 12.6


def test_a_prompt_is_drawn_only_where_what_it_needs_is_known() -> None:
    made = pool(group("speech", "Which tone?", needs=["Mood", "emotion"]), group("any", "What is it?"))
    assert {p.text for p in made.draw("a", "speech", ("gender",), 9, 0)} == {"What is it?"}
    assert {p.text for p in made.draw("a", "speech", ("mood",), 9, 0)} == {"What is it?", "Which tone?"}
    assert {p.text for p in made.draw("a", "music", ("mood",), 9, 0)} == {"What is it?"}


def test_an_id_is_the_prompts_own_whatever_stands_beside_it() -> None:
    alone, second = pool(group("any", "What is it?")), pool(group("sound", "How loud?", "What is it?"))
    assert alone.prompts[0].id == second.prompts[1].id


def test_braces_in_a_description_or_prompt_are_no_places_of_the_template() -> None:
    shown = POOL.template.shown("user", "<a>", "</a>", "Hello {prompt} {laughs}", "What of {start}?")
    assert shown == "<a>Hello {prompt} {laughs}</a>\n\nWhat of {start}?"
    assert POOL.template.asked("What {clip}?") == "<|AUDIO|>\n\nWhat {clip}?"
    assert "{" not in POOL.template.shown("system", "<a>", "</a>")


def test_a_pool_that_is_wrong_is_refused() -> None:
    with pytest.raises(AkbError, match="there twice: 'what IS it\\?'"):
        pool(group("any", "What is it?"), group("sound", "what IS it?"))
    with pytest.raises(AkbError, match=r"user: \{prompt\} must stand in it"):
        pool(group("any", "What?"), template={**TEMPLATE, "user": "{description}"})
    for trained in ("{clip} {clip} {prompt}", "<|AUDIO|> {clip} {prompt}"):
        with pytest.raises(AkbError, match=r"trained: \{clip\} must stand in it once, and <\|AUDIO\|> not at all"):
            pool(group("any", "What?"), template={**TEMPLATE, "trained": trained})
    with pytest.raises(AkbError, match=r"a prompt holds <\|AUDIO\|>"):
        pool(group("any", "What is in <|AUDIO|>?"))
    with pytest.raises(AkbError, match="no prompt fits music"):
        check_fits(pool(group("music", "Which genre?", needs=["genre"]), group("sound", "What?")), {"sound", "music"})
    with pytest.raises(AkbError, match="no pool of prompts is called 'pool-v2'") as error:
        find("pool-v2", content.roots())
    assert "pool-v1" in error.value.fix
