"""The corpus of akb-tiny: a stream of short documents, made from rules and tables, the same on every machine.

Kinds of document: `spelling` (letters of a word; the only kind that held-out words are in), `pronunciation`,
`statement` and `ask` (the skills), `choice` (options with letters), `fact` (closed tables). Reading comes first: the
stream opens with a stage of spelling, pronunciation and looking things up, on which the answers build.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from random import Random

from akb.lab import facts, wording
from akb.lab.skills import DRAW, Exercise, exercise, pool_of
from akb.lab.words import Word, clear_rhyme, load, rhymes

BOS, END, PAD = "<|bos|>", "<|end|>", "<|pad|>"
USER, ASSISTANT, ROLE_SYSTEM = "<|user|>", "<|assistant|>", "<|system|>"
SEED = 20261121

# What a stretch of text weighs in the loss: answers must be learned, questions only have to be read.
ANSWER, TEXT, PROMPT = 1.0, 0.5, 0.1

READING = {"spelling": 0.30, "pronunciation": 0.30, "choice": 0.10, "statement": 0.15, "ask": 0.15}
MAIN = {"spelling": 0.06, "pronunciation": 0.10, "choice": 0.09, "statement": 0.16, "ask": 0.55, "fact": 0.04}
READING_SHARE = 0.12
SKILLS = {
    "rhyme": 0.26, "first-sound": 0.13, "vowel": 0.18, "syllables": 0.09, "ending-sound": 0.06,
    "nyquist": 0.07, "sampling-rate": 0.06, "octave-up": 0.075, "octave-down": 0.075,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Document:
    """Stretches of text, each with its weight in the loss; together they are the text, markers included."""

    kind: str
    pieces: tuple[tuple[str, float], ...]

    @property
    def text(self) -> str:
        return "".join(text for text, _ in self.pieces)


def quoted(rng: Random, word: str) -> str:
    return rng.choice((word, word, f'"{word}"', f'"{word}"', f"'{word}'"))


def dialogue(rng: Random, kind: str, pairs: list[tuple[str, str]], start: str = "Answer:") -> Document:
    """Questions and answers as chat turns (as the chat template writes them) or as plain text.

    `start` opens a chat reply and counts as prompt in the loss; plain text always has "Answer:".
    """
    pieces: list[tuple[str, float]] = [(BOS, 0.0)]
    if rng.random() < 0.6:
        if rng.random() < 0.08:
            pieces.append((f"{ROLE_SYSTEM}{rng.choice(wording.SYSTEM)}{END}", 0.0))
        for question, answer in pairs:
            pieces.append((f"{USER}{question}{END}{ASSISTANT}{start}", PROMPT))
            pieces.append((f" {answer}{END}" if start else f"{answer}{END}", ANSWER))
    else:
        head = rng.choice(("Question: ", "Question: ", ""))
        for number, (question, answer) in enumerate(pairs):
            pieces += [(f"{head}{question}\nAnswer:", PROMPT), (f" {answer}", ANSWER)]
            pieces.append((END, ANSWER) if number + 1 == len(pairs) else ("\n\n", PROMPT))
    return Document(kind, tuple(pieces))


def plain(kind: str, text: str) -> Document:
    return Document(kind, ((BOS, 0.0), (f"{text}{END}", TEXT)))


def slot(rng: Random, drawn: Exercise) -> str:
    """The entity as it stands in a sentence: a number with its unit, a word perhaps in quotation marks."""
    return f"{drawn.entity} Hz" if drawn.entity.isdigit() else quoted(rng, drawn.entity)


def draw_skill(rng: Random) -> Exercise:
    skill = rng.choices(list(SKILLS), list(SKILLS.values()))[0]
    return exercise(rng, skill, pool_of("train"))


def question(rng: Random, drawn: Exercise) -> str:
    """One of thousands of ways to ask: a frame, or a lead and a short question, perhaps with idle words around them.

    With a dozen fixed frames a model answers those and no others: it must learn to find the skill and the entity.
    """
    if rng.random() < 0.55:
        asked = rng.choice(wording.TRAIN[drawn.skill])
    else:
        lead = rng.choice(wording.NUMBER_LEADS if drawn.entity.isdigit() else wording.LEADS)
        short = rng.choice(wording.SHORT[drawn.skill])
        asked = f"{lead} {short[0].upper() + short[1:] if lead.endswith('.') else short}"
    asked = asked.format(x=slot(rng, drawn))
    words = pool_of("train").words
    named = {"n": rng.choice(words).spelling, "m": rng.choice(words).spelling}
    if rng.random() < 0.22:
        asked = f"{rng.choice(wording.OPENERS).format(**named)} {asked}"
    if rng.random() < 0.15:
        asked = f"{asked} {rng.choice(wording.TAILS).format(**named)}"
    return asked


def ask(rng: Random) -> Document:
    """One question on a skill; one time in ten several of a kind, as in a few-shot prompt."""
    drawn = [draw_skill(rng)]
    if rng.random() < 0.10:
        drawn += [exercise(rng, drawn[0].skill, pool_of("train")) for _ in range(rng.randint(1, 5))]
    return dialogue(rng, "ask", [(question(rng, one), one.answers[0]) for one in drawn])


def shared_sound(drawn: Exercise) -> str:
    """What the entity and its answers have in common, in IPA; "" for skills that are not about shared sounds."""
    word = by_spelling().get(drawn.entity)
    if word is None or drawn.skill not in ("rhyme", "first-sound", "vowel"):
        return ""
    if drawn.skill == "first-sound":
        return word.part(0, 1)
    return word.part(word.rime_start, word.rime_start + 1 if drawn.skill == "vowel" else None)


@cache
def by_spelling() -> dict[str, Word]:
    return {word.spelling: word for word in load()}


def statement(rng: Random) -> Document:
    drawn = draw_skill(rng)
    frames = wording.STATE[drawn.skill]
    frame = rng.choice([f for f in frames if len(drawn.answers) == 3 or ("{b}" not in f and "{c}" not in f)])
    named = dict(zip("abc", drawn.answers, strict=False))
    return plain("statement", frame.format(x=slot(rng, drawn), s=shared_sound(drawn), **named))


def pronunciation(rng: Random) -> Document:
    pool = pool_of("train")
    word = rng.choice(pool.words)
    form = rng.random()
    if form < 0.4:
        asked = rng.choice(wording.SAY).format(x=quoted(rng, word.spelling))
        return dialogue(rng, "pronunciation", [(asked, word.ipa)])
    if form < 0.7 and clear_rhyme(word):
        others = [other for other in pool.by_rime[word.rime] if rhymes(word, other)]
        if others:
            other = rng.choice(others)
            named = {"x": word.spelling, "ipa": word.ipa, "a": other.spelling, "ipa_a": other.ipa}
            return plain("pronunciation", rng.choice(wording.RIME).format(**named))
    return plain("pronunciation", rng.choice(wording.SAID).format(x=word.spelling, ipa=word.ipa))


def spelling(rng: Random) -> Document:
    """Letters of one word, held-out words included: read them, write them, nothing on sound."""
    word: Word = rng.choice(load())
    named = {"x": word.spelling, "letters": "-".join(word.spelling)}
    form = rng.random()
    if form < 0.35:
        return dialogue(rng, "spelling", [(rng.choice(wording.SPELL).format(**named), named["letters"])])
    if form < 0.8:
        return dialogue(rng, "spelling", [(rng.choice(wording.UNSPELL).format(**named), word.spelling)])
    return plain("spelling", rng.choice(wording.SPELLED).format(**named))


def choice(rng: Random) -> Document:
    """Four lettered options in one of akb's two layouts; half of the questions only name one, to practise finding it.

    After "A. ..." the reply is the letter or the text of the option, whichever the evaluation scores; after "(A) ..."
    it is the bracketed letter alone.
    """
    drawn = draw_skill(rng)
    options = [drawn.answers[0], *drawn.distractors]
    rng.shuffle(options)
    place = options.index(drawn.answers[0])
    if rng.random() < 0.5:
        asked = rng.choice(wording.LOOK_UP).format(x=quoted(rng, drawn.answers[0]))
    else:
        asked = question(rng, drawn)
    instruction = rng.choice(wording.INSTRUCT)
    if rng.random() < 0.35:
        listed = "".join(f"\n({letter}) {option}" for letter, option in zip("ABCD", options, strict=True))
        asked += f"\n{listed}\n\n{instruction or wording.INSTRUCT[-1]}"
        return dialogue(rng, "choice", [(asked, f"({'ABCD'[place]})")], start="")
    listed = "".join(f"\n{letter}. {option}" for letter, option in zip("ABCD", options, strict=True))
    if rng.random() < 0.5:
        return dialogue(rng, "choice", [(asked + listed, drawn.answers[0])])
    listed += f"\n{instruction}" if instruction else ""
    return dialogue(rng, "choice", [(asked + listed, "ABCD"[place])])


def fact(rng: Random) -> Document:
    table = rng.choice(facts.TABLES)
    entity, answer = rng.choice(table.rows)
    if rng.random() < 0.7:
        return dialogue(rng, "fact", [(rng.choice(table.asks).format(x=entity), answer)])
    return plain("fact", rng.choice(table.states).format(x=entity, a=answer))


MAKE = {
    "ask": ask, "statement": statement, "pronunciation": pronunciation,
    "spelling": spelling, "choice": choice, "fact": fact,
}  # fmt: skip


def documents(count: int, seed: int = SEED, reading: float = READING_SHARE) -> Iterator[Document]:
    """The corpus of `count` documents that `seed` gives, of which a share `reading` at the start practises reading."""
    rng = Random(seed)
    for number in range(count):
        mixture = READING if number < reading * count else MAIN
        yield MAKE[rng.choices(list(mixture), list(mixture.values()))[0]](rng)


def digest(stream: Iterable[Document]) -> str:
    """SHA-256 of the texts and weights, by which a trained model names the corpus it was trained on."""
    summary = hashlib.sha256()
    for document in stream:
        summary.update(repr(document.pieces).encode())
    return summary.hexdigest()


assert set(SKILLS) == set(DRAW), "every skill has a share of the corpus"
