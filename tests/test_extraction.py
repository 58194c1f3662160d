"""Reading replies: a table of replies with what each of them says to a careful reader."""

from __future__ import annotations

import string
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from akb.errors import AkbError
from akb.extraction import RULES, extract
from akb.registry import Registry
from akb.tasks.asking import Asking, shown
from akb.types import Option, Status


def listed(*texts: str) -> tuple[Option, ...]:
    return tuple(Option(label, text) for label, text in zip(string.ascii_uppercase, texts, strict=False))


SYLLABLE = listed("First syllable", "Second syllable", "Third syllable", "All syllables equally")
HERTZ = listed("4 Hz", "40 Hz", "400 Hz", "4000 Hz")
CHORD = listed("A minor", "C minor", "C minor seventh", "B-flat major")
NOTE = listed("C", "C#", "A", "B")
LEVEL = listed("-3 dB", "3 dB", "6 dB", "−6 dB")
YES = listed("Yes", "No")
COUNT = listed("one", "two", "three", "four")
WORD = listed("crescendo", "staccato", "legato", "a fermata")
WIND = listed("flute", "oboe", "violin", "bass flute")
BIG = listed(*(f"sound {number}" for number in range(1, 11)))  # has an option I

Options = tuple[Option, ...]

# What a reply says, where a careful reader is in no doubt.
READABLE: list[tuple[str, Options, int]] = [
    # a letter in the common dresses
    ("B", SYLLABLE, 1),
    ("b", SYLLABLE, 1),
    (" B\n", SYLLABLE, 1),
    ("(B)", SYLLABLE, 1),
    ("[B]", SYLLABLE, 1),
    ("B.", SYLLABLE, 1),
    ("B)", SYLLABLE, 1),
    ("**B**", SYLLABLE, 1),
    ("**(B)**", SYLLABLE, 1),
    ("`B`", SYLLABLE, 1),
    ("$B$", SYLLABLE, 1),
    ("\\boxed{B}", SYLLABLE, 1),
    ("$\\boxed{\\text{B}}$", SYLLABLE, 1),
    ("Answer: B", SYLLABLE, 1),
    ("answer: b", SYLLABLE, 1),
    ("Answer: a", SYLLABLE, 0),
    ("Answer: **B**", SYLLABLE, 1),
    ("**Answer:** (B)", SYLLABLE, 1),
    ("### Answer\nB", SYLLABLE, 1),
    ("The answer is B.", SYLLABLE, 1),
    ("The answer is (B).", SYLLABLE, 1),
    ("The correct answer is **B**.", SYLLABLE, 1),
    ("The correct option is C.", SYLLABLE, 2),
    ("The answer is option C.", SYLLABLE, 2),
    ("Option C", SYLLABLE, 2),
    ("I choose option C.", SYLLABLE, 2),
    ("My final answer is: D", SYLLABLE, 3),
    ("The answer is C. My final answer is: D", SYLLABLE, 3),  # what is final takes back what is not
    ("C is the correct answer.", SYLLABLE, 2),
    ("(C) is correct.", SYLLABLE, 2),
    # with the option's text
    ("(B) Second syllable", SYLLABLE, 1),
    ("B. Second syllable", SYLLABLE, 1),
    ("B: Second syllable", SYLLABLE, 1),
    ("B Second syllable", SYLLABLE, 1),
    ("**B. Second syllable**", SYLLABLE, 1),
    ("The answer is (B) Second syllable.", SYLLABLE, 1),
    ("The answer is B (second syllable).", SYLLABLE, 1),
    ("Second syllable", SYLLABLE, 1),
    ("second syllable.", SYLLABLE, 1),
    ('"Second syllable"', SYLLABLE, 1),
    ("It is the second syllable.", SYLLABLE, 1),
    ("The stress falls on the second syllable.", SYLLABLE, 1),
    ("B. Second syllable\n\nIn ba-NA-na the second syllable is the loud one.", SYLLABLE, 1),
    ("(B) Second syllable, because banana is said ba-NA-na.", SYLLABLE, 1),
    # after reasoning, with what was considered before
    ("<think>A? No, B.</think>C", SYLLABLE, 2),
    ("<think>\nThe answer is A.\n</think>\n\nThe answer is C.", SYLLABLE, 2),
    ("Maybe A, I am not done.</think>\nC", SYLLABLE, 2),
    ("<thinking>The answer is A</thinking> (D)", SYLLABLE, 3),
    ("banana is said ba-NA-na, with three syllables.\nAnswer: B", SYLLABLE, 1),
    # negations that leave one
    ("B is wrong; the answer is C", SYLLABLE, 2),
    ("The answer is B, not C.", SYLLABLE, 1),
    ("The answer is not A. The answer is B.", SYLLABLE, 1),
    ("Option B is incorrect. The answer is A.", SYLLABLE, 0),
    ("If the answer were A the word would sound odd. The answer is B.", SYLLABLE, 1),
    ("The wrong answer is B. The answer is D.", SYLLABLE, 3),
    ("It is the second syllable, not the first syllable.", SYLLABLE, 1),
    ("All options except B are wrong, so the answer is B.", SYLLABLE, 1),
    # the article "a" and the pronoun "I"
    ("The answer is a fermata.", WORD, 3),
    ("The answer is A because it grows louder.", WORD, 0),
    ("The answer is B, I think.", BIG, 1),
    ("Answer: I", BIG, 8),
    # texts and numbers that contain one another
    ("40 Hz", HERTZ, 1),
    ("The answer is 400 Hz.", HERTZ, 2),
    ("The beat frequency is 4 Hz.", HERTZ, 0),
    ("-3 dB", LEVEL, 0),
    ("3 dB", LEVEL, 1),
    ("−6 dB", LEVEL, 3),
    ("C minor", CHORD, 1),
    ("The answer is C minor.", CHORD, 1),
    ("The answer is C minor seventh.", CHORD, 2),
    ("The answer is B-flat major.", CHORD, 3),
    ("C#", NOTE, 1),
    ("(C)", NOTE, 2),
    # words that are options
    ("No", YES, 1),
    ("Yes.", YES, 0),
    ("(B) No", YES, 1),
    ("A bass flute.", WIND, 3),
    ("A flute.", WIND, 0),
    ("It is not the flute, it is the oboe.", WIND, 1),
    ("The answer is two.", COUNT, 1),
    ("Three.", COUNT, 2),
    # dressed otherwise; a careful reader understands them too
    ("I'd go with B.", SYLLABLE, 1),
    ("It's B.", SYLLABLE, 1),
    ("B, because banana is said ba-NA-na.", SYLLABLE, 1),
    ("Not A, B or D: C.", SYLLABLE, 2),
    ("A tempting answer is B, but it is C.", SYLLABLE, 2),
    ("Answer: B. No wait, C.", SYLLABLE, 2),
    ("The answer is A. Actually, B is correct.", SYLLABLE, 1),
    ("(A) is too short, (B) is too long, so (C).", SYLLABLE, 2),
    ('{"answer": "B"}', SYLLABLE, 1),
    ("La respuesta es B.", SYLLABLE, 1),
]

# Replies that give no answer, or more than one; and what each is.
UNREADABLE: list[tuple[str, Options, Status]] = [
    ("", SYLLABLE, Status.EMPTY),
    ("  \n ", SYLLABLE, Status.EMPTY),
    ("<think>A or B?</think>", SYLLABLE, Status.EMPTY),
    ("<think>The answer is A, or", SYLLABLE, Status.TRUNCATED),
    ("I'm sorry, but I can't help with that.", SYLLABLE, Status.REFUSED),
    ("I cannot answer without hearing the audio.", SYLLABLE, Status.REFUSED),
    ("As an AI language model I cannot hear.", SYLLABLE, Status.REFUSED),
    ("I cannot provide the second syllable.", SYLLABLE, Status.REFUSED),
    ("Answer: A or B", SYLLABLE, Status.WRONG_FORMAT),
    ("Answer: A, B", SYLLABLE, Status.WRONG_FORMAT),
    ("Answer: A and B", SYLLABLE, Status.WRONG_FORMAT),
    ("Answer: A/B", SYLLABLE, Status.WRONG_FORMAT),
    ("Answer: B or maybe C", SYLLABLE, Status.WRONG_FORMAT),
    ("I believe the answer is A, but it could be B.", SYLLABLE, Status.WRONG_FORMAT),
    ("The answer is A or the second syllable.", SYLLABLE, Status.WRONG_FORMAT),
    ("B is correct and C is correct.", SYLLABLE, Status.WRONG_FORMAT),
    ("A or B is correct.", SYLLABLE, Status.WRONG_FORMAT),
    ("Either the first syllable, or B.", SYLLABLE, Status.WRONG_FORMAT),
    ("B\n\nC", SYLLABLE, Status.WRONG_FORMAT),
    ("A\nB\nC\nD", SYLLABLE, Status.WRONG_FORMAT),
    ("I would not choose option B.", SYLLABLE, Status.WRONG_FORMAT),
    ("I don't think the answer is B.", SYLLABLE, Status.WRONG_FORMAT),
    ("Most people would answer B.", SYLLABLE, Status.WRONG_FORMAT),
    ("The first syllable is weak.", SYLLABLE, Status.WRONG_FORMAT),
    ("The answer is First syllable (B).", SYLLABLE, Status.WRONG_FORMAT),
    ("No answer", YES, Status.WRONG_FORMAT),
    ("Yes and no.", YES, Status.WRONG_FORMAT),
    ("A flute or oboe", WIND, Status.WRONG_FORMAT),
    ("B flute", WIND, Status.WRONG_FORMAT),
    ("The answer is (A) or (B).", SYLLABLE, Status.WRONG_FORMAT),
    ("The answer is either A or B.", SYLLABLE, Status.WRONG_FORMAT),
    ("A or B", SYLLABLE, Status.WRONG_FORMAT),
    ("A and B", SYLLABLE, Status.WRONG_FORMAT),
    ("A: B", SYLLABLE, Status.WRONG_FORMAT),
    ("AB", SYLLABLE, Status.WRONG_FORMAT),
    ("The answer is not B", SYLLABLE, Status.WRONG_FORMAT),
    ("The answer isn't B.", SYLLABLE, Status.WRONG_FORMAT),
    ("The answer cannot be B.", SYLLABLE, Status.WRONG_FORMAT),
    ("The wrong answer is B.", SYLLABLE, Status.WRONG_FORMAT),
    ("The incorrect option is B.", SYLLABLE, Status.WRONG_FORMAT),
    ("If the answer is B, the word would be a verb.", SYLLABLE, Status.WRONG_FORMAT),
    ("B is wrong.", SYLLABLE, Status.WRONG_FORMAT),
    ("(B) is wrong.", SYLLABLE, Status.WRONG_FORMAT),
    ("(B) Second syllable is wrong.", SYLLABLE, Status.WRONG_FORMAT),
    ("Second syllable is wrong.", SYLLABLE, Status.WRONG_FORMAT),
    ("The second syllable is not stressed.", SYLLABLE, Status.WRONG_FORMAT),
    ("It can't be the second syllable.", SYLLABLE, Status.WRONG_FORMAT),
    ("Is it the second syllable?", SYLLABLE, Status.WRONG_FORMAT),
    ("First, consider the second syllable.", SYLLABLE, Status.WRONG_FORMAT),
    ("It is either the first syllable or the second.", SYLLABLE, Status.WRONG_FORMAT),
    ("Option A describes a falling pitch.", SYLLABLE, Status.WRONG_FORMAT),
    ("Answer: B\nAnswer: C", SYLLABLE, Status.WRONG_FORMAT),
    ("The answer is (B) First syllable.", SYLLABLE, Status.WRONG_FORMAT),
    ("The answer is B (first syllable).", SYLLABLE, Status.WRONG_FORMAT),
    ("B. First syllable", SYLLABLE, Status.WRONG_FORMAT),
    ("A. First syllable\nB. Second syllable\nC. Third syllable", SYLLABLE, Status.WRONG_FORMAT),
    ("A. First syllable B. Second syllable", SYLLABLE, Status.WRONG_FORMAT),
    ("A: too short\nB: fits\nC: too long", SYLLABLE, Status.WRONG_FORMAT),
    ("A: 20 %, B: 70 %, C: 10 %", SYLLABLE, Status.WRONG_FORMAT),
    ("The answer is none of the above.", SYLLABLE, Status.WRONG_FORMAT),
    ("E", SYLLABLE, Status.WRONG_FORMAT),
    ("The answer is E.", SYLLABLE, Status.WRONG_FORMAT),
    ("A syllable is stressed.", SYLLABLE, Status.WRONG_FORMAT),
    ("The answer is a matter of taste.", SYLLABLE, Status.WRONG_FORMAT),
    ("I don't know.", BIG, Status.WRONG_FORMAT),
    ("44 Hz", HERTZ, Status.WRONG_FORMAT),
    ("1.4 Hz", HERTZ, Status.WRONG_FORMAT),
    ("4 Hz or 40 Hz", HERTZ, Status.WRONG_FORMAT),
    ("The answer is D minor.", CHORD, Status.WRONG_FORMAT),
    ("C# minor", CHORD, Status.WRONG_FORMAT),
    ("There is no doubt about that.", YES, Status.WRONG_FORMAT),
    ("I have no idea.", YES, Status.WRONG_FORMAT),
    ("Of the two sounds that I compared, none stands out.", COUNT, Status.WRONG_FORMAT),
    ("I listened to all four options.", COUNT, Status.WRONG_FORMAT),
]


REED = listed("flute", "oboe", "clarinet", "bassoon")
SMALL = listed("2", "3", "4", "5")
TONES = listed("440 Hz", "880 Hz", "220 Hz", "110 Hz")

# Replies that name an option near words of answering, and mean another, or none. (reply, options, what it means)
MISLEADING: list[tuple[str, Options, int | None]] = [
    ("The least likely answer is B.", REED, None),
    ("I doubt that the answer is B.", REED, None),
    ("I disagree that the answer is B.", REED, None),
    ("Everyone says the answer is B, which is false.", REED, None),
    ("Nobody would say the answer is B.", REED, None),
    ("The answer is hardly B.", REED, None),
    ("The answer is far from B.", REED, None),
    ("There is little chance that the answer is B.", REED, None),
    ("To say the answer is B is a mistake.", REED, None),
    ("The obvious answer is B, but it is a trap.", REED, None),
    ("I changed my answer from B to C.", REED, 2),
    ("I almost chose B.", REED, None),
    ("I was going to say B.", REED, None),
    ("I take B to be wrong.", REED, None),
    ("I select all but B.", REED, None),
    ("I would choose B last.", REED, None),
    ("The answer choice B describes a double reed.", REED, None),
    ("The answer is B only if the reed is double.", REED, None),
    ("Assuming a double reed, the answer is B.", REED, None),
    ("Had it a double reed, the answer would be B.", REED, None),
    ("La réponse n'est ni A ni B.", REED, None),
    ("Die Antwort ist weder B noch C.", REED, None),
    ("The answer is 2 + 2, i.e. 4.", SMALL, 2),
    ("The answer is 1 + 2 = 3.", SMALL, 1),
    ("The answer is found in 2 steps: it is 4.", SMALL, 2),
    ("The answer is 5 minus 2.", SMALL, 1),
    ("The answer is 3 million.", SMALL, None),
    ("The answer is option 3 (4).", SMALL, 2),
    ("The answer is double 220 Hz, that is 440 Hz.", TONES, 0),
    ("The answer is half of 440 Hz.", TONES, 2),
    ("It is an octave below 220 Hz.", TONES, 3),
    ("It is anything but rising.", listed("rising", "falling"), None),
    ("It is the relative minor of C major.", listed("C major", "A minor"), 1),
    ("The answer is no doubt yes.", YES, 0),
    ("Yes, I can help with that.", YES, None),
]


@pytest.mark.parametrize(("reply", "options", "meant"), MISLEADING, ids=[case[0] for case in MISLEADING])
def test_an_option_that_is_named_beside_words_of_answering_is_not_taken_for_the_answer(
    reply: str, options: Options, meant: int | None
) -> None:
    assert extract(reply, options).place in (None, meant)


@pytest.mark.parametrize(("reply", "options", "meant"), READABLE, ids=[case[0] for case in READABLE])
def test_a_readable_reply_is_never_read_as_another_option(reply: str, options: Options, meant: int) -> None:
    reading = extract(reply, options)
    assert reading.place in (meant, None)
    assert (reading.place is None) == (reading.status != Status.OK) == bool(reading.reason)


@pytest.mark.parametrize(("reply", "options", "status"), UNREADABLE, ids=[case[0] for case in UNREADABLE])
def test_a_reply_without_one_answer_is_not_read_and_says_why(reply: str, options: Options, status: Status) -> None:
    reading = extract(reply, options)
    assert (reading.place, reading.status) == (None, status)
    assert reading.reason


def test_these_readable_replies_are_all_read() -> None:
    assert {reply for reply, options, _ in READABLE if extract(reply, options).place is None} == set()


@pytest.mark.parametrize(
    ("reply", "place"),
    [("B", 1), ("(B)", 1), ("B.", 1), ("(B).", 1), (" B ", 1), ("b", None), ("Answer: B", None), ("BC", None)],
)
def test_strict_letter_takes_a_label_and_nothing_else(reply: str, place: int | None) -> None:
    reading = extract(reply, SYLLABLE, "strict-letter")
    assert reading.place == place
    assert reading.status == (Status.OK if place is not None else Status.WRONG_FORMAT)


def test_an_empty_reply_is_empty_under_every_rule() -> None:
    assert {extract(" ", SYLLABLE, rule).status for rule in RULES} == {Status.EMPTY}


def test_an_unknown_rule_gets_did_you_mean() -> None:
    with pytest.raises(AkbError, match="Did you mean strict-letter"):
        extract("B", SYLLABLE, "strict-leter")


LETTERS = st.sampled_from("ABCDEFGHIJ")
DRESSES = (
    "{}",
    "({})",
    "{}.",
    "**{}**",
    "Answer: {}",
    "The answer is {}.",
    "The correct answer is ({}).",
    "\\boxed{{{}}}",
)


@given(LETTERS, st.sampled_from(DRESSES))
def test_every_label_is_read_in_every_common_dress(letter: str, dress: str) -> None:
    assert extract(dress.format(letter), BIG).place == string.ascii_uppercase.index(letter)


@given(st.permutations("ABCDEFGHIJ"), st.sampled_from((" or ", ", ", " and ", "/", ", or ", " & ")))
def test_two_labels_in_one_statement_are_never_one_answer(letters: list[str], between: str) -> None:
    one, other = letters[:2]
    assert extract(f"Answer: {one}{between}{other}", BIG).place is None
    assert extract(f"The answer is ({one}){between}({other}).", BIG).place is None


@given(st.text(max_size=200))
def test_any_text_at_all_gets_a_reading_and_no_crash(reply: str) -> None:
    for rule in RULES:
        reading = extract(reply, SYLLABLE, rule)
        assert (reading.place is None) == (reading.status != Status.OK)


def test_every_option_of_the_bank_is_read_when_said_plainly_unless_it_is_also_a_label() -> None:
    registry = Registry()
    protocol, prompt = registry.protocol("akb-v1")
    read, unread = 0, set()
    for question in registry.task("akb-open", Asking(protocol, prompt)).questions():
        options = shown(question, range(len(question.options)))
        labels = {option.label for option in options}
        for place, option in enumerate(options):
            for dress in ("{l}", "({l}) {t}", "{l}. {t}", "{t}.", "The answer is {l}.", "The answer is {t}."):
                reply = dress.format(l=option.label, t=option.text)
                if labels & set(question.options) and "({l})" not in dress:
                    continue  # notes as options: "A" may be a label or the note
                reading = extract(reply, options)
                assert reading.place in (place, None), reply
                read += reading.place == place
                unread |= {reply} if reading.place is None else set()
    assert read > 4000
    assert len(unread) <= 3, unread  # one option is the word "Answer" itself


@pytest.mark.parametrize(
    "loop",
    [
        "the answer is B. ",
        "second syllable not ",
        "some ",
        "(",
        "A. x\n",
        "<think>",
        "*",
        "\n",
        " ",
        "B or ",
        "{",
        "is the ",
    ],
)
def test_a_reply_that_loops_for_thousands_of_words_is_read_in_a_moment(loop: str) -> None:
    started = time.process_time()
    extract(loop * 1500, SYLLABLE)
    assert time.process_time() - started < 3
