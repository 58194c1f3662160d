"""The questions of tasks/lab-facts: what akb-tiny should know of words and numbers it was told nothing about.

    python -m akb.lab.questions --out tasks/lab-facts/questions.jsonl

Every entity and option is from the test split and every sentence from the test wording (akb.lab.heldout proves both).
Keys are spread evenly over the four positions, and over the answers where these are few; the options of an item are
words of one length, all drawn equally often in training (for spelling only), so that no prior tells them apart.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from akb.lab.heldout import Split
from akb.lab.skills import DRAW, Exercise, pool_of, same_letters
from akb.lab.wording import COUNTS, ENDINGS, TEST, VALID
from akb.lab.words import Word, load

CANARY = "akb-lab-facts canary 3be01c57-94d2-4c0a-8f6e-71a5d0c2e9b8 do not train on this"
# skill: (category, subcategory, items)
PLAN = {
    "rhyme": ("phonetic", "rhyme", 60),
    "first-sound": ("phonetic", "first-sound", 44),
    "vowel": ("phonetic", "vowel", 44),
    "syllables": ("phonetic", "syllables", 44),
    "ending-sound": ("phonetic", "ending-sound", 40),
    "nyquist": ("technical", "nyquist", 22),
    "sampling-rate": ("technical", "nyquist", 22),
    "octave-up": ("music", "octaves", 22),
    "octave-down": ("music", "octaves", 22),
}
# Found when the items were read through: said in two ways after all, or hardly words.
LEFT_OUT = frozenset(("cant", "dunno", "ideally", "matt", "niche", "sec", "sox", "thou", "wont"))
FORMULAS = {
    "nyquist": "f_N = fs / 2",
    "sampling-rate": "fs = 2 f_N",
    "octave-up": "f' = 2 f",
    "octave-down": "f' = f / 2",
}


@dataclass(frozen=True, slots=True)
class Item:
    """A question with its parts still apart: the frame, the entity in it, the options, the index of the key."""

    skill: str
    frame: str
    entity: str
    options: tuple[str, ...]
    answer: int

    @property
    def key(self) -> str:
        return self.options[self.answer]

    @property
    def question(self) -> str:
        return self.frame.format(x=f"{self.entity} Hz" if self.entity.isdigit() else f'"{self.entity}"')

    @property
    def looks_alike(self) -> bool:
        """Whether entity and key end in the same two letters (of interest for rhyme)."""
        return same_letters(self.entity, self.key)


def _rank(drawn: Exercise) -> int:
    """The key's place among the options by size (numbers of one length sort as texts), from 0."""
    return sorted((*drawn.distractors, drawn.answers[0])).index(drawn.answers[0])


def _acceptable(drawn: Exercise, used: Counter[str], quota: int) -> bool:
    """Entities once, keys once, the key's size at every rank; half of the rhymes unlike on paper.

    Where answers are few, each is the key equally often.
    """
    key = drawn.answers[0]
    if LEFT_OUT & {drawn.entity, key, *drawn.distractors}:
        return False
    if used[f"entity {drawn.entity}"] or (drawn.skill == "rhyme" and used[f"entity {key}"]):
        return False
    if key in COUNTS or key in ENDINGS:
        return used[f"key {key}"] < quota // 4
    if drawn.entity.isdigit() and used[f"rank {_rank(drawn)}"] > quota // 4:
        return False
    if drawn.skill == "rhyme" and used[f"alike {same_letters(drawn.entity, key)}"] >= quota // 2:
        return False
    return not used[f"key {key}"]


def draw(skill: str, split: Split) -> list[Item]:
    """The items of one skill."""
    rng = Random(f"akb-lab {split} {skill}")
    _, _, wanted = PLAN[skill]
    frames = (TEST if split == "test" else VALID)[skill]
    used: Counter[str] = Counter()
    drawn: list[Exercise] = []
    for _ in range(20_000):
        if len(drawn) == wanted:
            break
        candidate = DRAW[skill](rng, pool_of(split))
        if candidate is not None and _acceptable(candidate, used, wanted):
            drawn.append(candidate)
            key = candidate.answers[0]
            alike = same_letters(candidate.entity, key)
            used.update((f"entity {candidate.entity}", f"key {key}", f"alike {alike}", f"rank {_rank(candidate)}"))
    places = [number % 4 for number in range(len(drawn))]
    rng.shuffle(places)
    items = []
    for number, (exercise, place) in enumerate(zip(drawn, places, strict=True)):
        options = list(exercise.distractors)
        options.insert(place, exercise.answers[0])
        items.append(Item(skill, frames[number % len(frames)], exercise.entity, tuple(options), place))
    return items


def build(split: Split) -> list[Item]:
    """All items of a split: "test" is tasks/lab-facts, "valid" is for choosing between training runs."""
    return [item for skill in PLAN for item in draw(skill, split)]


def _because(item: Item, words: dict[str, Word]) -> str:
    said = f'"{item.entity}" is {words[item.entity].ipa}' if item.entity in words else ""
    match item.skill:
        case "rhyme":
            return f'{said} and "{item.key}" is {words[item.key].ipa}: alike from the stressed vowel on.'
        case "first-sound" | "vowel":
            return f'{said} and "{item.key}" is {words[item.key].ipa}; the other words differ in that sound.'
        case "syllables":
            return (
                f"{said}, with {item.key} vowel sound{'' if item.key == 'one' else 's'}, each the core of a syllable."
            )
        case "ending-sound":
            return f"{said}: the ending takes the voicing of the sound before it, or has a vowel of its own."
        case _:
            return f"{FORMULAS[item.skill]} gives {item.key}."


def rows(items: list[Item]) -> Iterator[dict[str, object]]:
    """The items in the bank's format."""
    words = {word.spelling: word for word in load()}
    numbers: Counter[str] = Counter()
    for item in items:
        category, subcategory, _ = PLAN[item.skill]
        numbers[subcategory] += 1
        if item.entity.isdigit():
            source = {"kind": "formula", "ref": FORMULAS[item.skill], "where": "", "seen": False}
        else:
            where = ", ".join(sorted({item.entity, *item.options} & words.keys()))
            source = {
                "kind": "read",
                "ref": "CMU Pronouncing Dictionary (akb/lab/words.tsv)",
                "where": where,
                "seen": True,
            }
        frames = TEST[item.skill]
        yield {
            "id": f"lab-{subcategory}-{numbers[subcategory]:03d}",
            "version": 1,
            "category": category,
            "subcategory": subcategory,
            "question": item.question,
            "options": list(item.options),
            "answer": item.answer,
            "kind": "computed",
            "template_id": f"{item.skill}/{frames.index(item.frame) + 1}",
            "sources": [source],
            "rationale": _because(item, words),
            "dialect": "General American" if category == "phonetic" else "",
            "reviews": [],
            "check": None,
            "canary": CANARY,
        }


def text() -> str:
    """The whole of questions.jsonl."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows(build("test")))


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the questions of tasks/lab-facts.")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(text(), encoding="utf-8")
    print(f"{text().count(chr(10))} questions -> {arguments.out}")


if __name__ == "__main__":
    main()
