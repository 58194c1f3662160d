"""Templates on file formats and on speech and audio technology."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain, pairwise, product

from akb.bank.templates.frame import Draft, Draw, Template, number
from akb.tasks.items import Source

FORMATS = list(product((8, 16, 24, 32, 48, 64, 96, 192), (8, 16, 24, 32), (1, 2)))
STREAMS = list(product(range(2, 61), (48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)))
RATIOS = (1 / 8, 1 / 4, 1 / 2, 2 / 3, 3 / 4, 4 / 3, 3 / 2, 2, 4, 8)  # of a wrong size to the right one
PLACES = ("The first one", "The second one", "The third one", "The fourth one")
LOSSLESS = ("FLAC", "ALAC", "AIFF", "Monkey's Audio")
LOSSY = ("MP3", "AAC", "Ogg Vorbis", "Opus")
ERRORS = (
    "Two substitutions",
    "One substitution and one deletion",
    "One substitution and one insertion",
    "One deletion and one insertion",
)
SLOTS: tuple[dict[str, str], ...] = (  # words, and what each is misheard as
    {"a": "the"},
    {"small": "tall", "black": "slack", "grey": "great", "wet": "pet", "shy": "sly"},
    {"dog": "fog", "cat": "hat", "goat": "coat", "hen": "pen", "mouse": "mouth"},
    {"ran": "rang", "sat": "sad", "walked": "talked", "slept": "swept", "hid": "hit"},
    {"near": "here", "by": "my", "behind": "beside"},
    {"our": "her"},
    {"old": "cold", "new": "blue", "long": "strong", "red": "dead"},
    {"gate": "date", "bridge": "ridge", "fence": "hence", "barn": "yarn", "shed": "bed"},
)
EXTRA = ("then", "just", "too", "now", "so")
STEMS = ("cat", "dog", "sun", "bed", "pin", "hot", "map", "rug", "win", "tea", "bus", "fox", "key", "low")


def equal_rate(draw: Draw) -> Draft | None:
    """Two PCM formats with the same bit rate."""
    given = draw.one(FORMATS)
    total = _bits(given)
    keys = [f for f in FORMATS if _bits(f) == total and f != given]
    wrong = draw.around(total, [_bits(f) for f in FORMATS if total / 3.5 < _bits(f) < total * 3.5])
    if not keys or wrong is None:
        return None
    found = [draw.one(keys), *(draw.one([f for f in FORMATS if _bits(f) == size]) for size in wrong)]
    rate, bits, channels = given
    return Draft(
        question="Which of these PCM formats needs the same bit rate, without compression, as "
        f"{('', 'mono', 'stereo')[channels]} sound at {rate} kHz with {bits} bits per sample?",
        options=tuple(f"{r} kHz, {b} bits, {('', 'mono', 'stereo')[c]}" for r, b, c in found),
        check=f"equal_bit_rate(rate_khz={rate}, bits={bits}, channels={channels})",
        rationale=f"Rate times bits times channels is {number(total)} kbit/s in both.",
    )


def _bits(pcm: tuple[int, int, int]) -> int:
    return pcm[0] * pcm[1] * pcm[2]


def stream_size(draw: Draw) -> Draft | None:
    """Which stream fills a given number of bytes."""
    minutes, rate = draw.one([s for s in STREAMS if s[0] * s[1] % 40 == 0])
    total = minutes * rate
    wrong = draw.around(total, [m * r for m, r in STREAMS if m * r / total in RATIOS])
    if wrong is None:
        return None
    streams = [(minutes, rate), *(draw.one([s for s in STREAMS if s[0] * s[1] == size]) for size in wrong)]
    return Draft(
        question=f"Which of these streams of constant bit rate fills {total * 60 / 8000:g} MB, one MB being "
        "a million bytes and headers left aside?",
        options=tuple(f"{m} minutes at {r} kbit/s" for m, r in streams),
        check=f"stream_size(megabytes={total * 60 / 8000:g})",
        rationale=f"{minutes} x 60 s x {rate} kbit/s is {number(total * 60)} kbit, an eighth of that in kilobytes.",
    )


def first_loss(draw: Draw) -> Draft | None:
    """Where a chain of conversions first loses information."""
    before, lost = draw.some(LOSSLESS, draw.rank), draw.one(LOSSY)
    left = [name for name in (*LOSSLESS, *LOSSY) if name not in (*before, lost)]
    steps = [*before, lost, *draw.some(left, 3 - draw.rank)]
    if draw.rank < 3 and not set(steps[draw.rank + 1 :]) & set(LOSSY):
        return None
    told = ", then to ".join(steps)
    return Draft(
        question=f"A 16-bit WAV file is converted to {told}, all at 16 bits; at which conversion "
        "is information first lost?",
        options=(PLACES[draw.rank], *(name for name in PLACES if name != PLACES[draw.rank])),
        check=f"first_loss(chain={tuple(steps)})",
        rationale=f"{lost} is a lossy codec" + (f"; lossless before it: {', '.join(before)}." if before else "."),
    )


def error_kinds(draw: Draw) -> Draft | None:
    """Which errors a transcript has against its reference."""
    words = [draw.one(list(slot)) for slot in SLOTS]
    first, second = sorted(draw.some(range(len(words)), 2))
    if second - first < 4:
        return None
    heard = [[word] for word in words]
    kinds = draw.some(("SS", "SD", "SI", "DI")[draw.rank], 2)
    for place, kind in zip((first, second), kinds, strict=True):
        word = words[place]
        extra = draw.one(EXTRA)
        heard[place] = {"S": [SLOTS[place][word]], "D": [], "I": [word, extra]}[kind]
    hypothesis = " ".join(chain.from_iterable(heard))
    return Draft(
        question=f'Which errors make up the word error rate when "{" ".join(words)}" is recognised as "{hypothesis}"?',
        options=(ERRORS[draw.rank], *(name for name in ERRORS if name != ERRORS[draw.rank])),
        check=f"error_kinds(reference={' '.join(words)!r}, hypothesis={hypothesis!r})",
        rationale="; ".join(f'"{words[p]}" became "{" ".join(heard[p])}"' for p in (first, second))
        + ", and the other words agree.",
    )


def detector(draw: Draw) -> Draft | None:
    """Precision and recall of a sound event detector."""
    present, reported = draw.some((10, 20, 25, 40, 50, 80, 100), 2)
    correct = draw.one(range(min(present, reported) // 5, min(present, reported)))
    wanted, event = draw.one(("precision", "recall")), draw.one(("bark", "siren", "cough", "door slam", "alarm"))
    shares = {"precision": 100 * correct / reported, "recall": 100 * correct / present}
    key = shares[wanted]
    if any(share % 5 for share in shares.values()):
        return None
    pool = {*shares.values(), *(100 - share for share in shares.values()), round(200 * correct / (present + reported))}
    wrong = draw.around(
        key,
        [p for p in pool | {key + d for d in (-25, -20, -15, -10, -5, 5, 10, 15, 20, 25)} if 3 < p < 98 and p % 5 == 0],
    )
    if wrong is None or not {*shares.values()} & {*wrong}:
        return None
    return Draft(
        question=f"In a recording with {present} {event}s a detector reports {reported}, of which {correct} are real; "
        f"what is its {wanted}?",
        options=tuple(f"{value:.0f} %" for value in [key, *wrong]),
        check=f"detector_share(wanted={wanted!r}, present={present}, reported={reported}, correct={correct})",
        rationale=f"{wanted.capitalize()} is the share of the {'reports' if wanted == 'precision' else 'events'} that "
        f"{'are real' if wanted == 'precision' else 'were found'}: {correct} of "
        f"{reported if wanted == 'precision' else present}.",
    )


def ctc_path(draw: Draw) -> Draft | None:
    """Which frame labels CTC decodes as a text: doubled letters need a blank between them."""
    stem = draw.one(STEMS)
    forms = [
        "".join(letter * n for letter, n in zip(stem, counts, strict=True)) for counts in product((1, 2), repeat=3)
    ]
    found = draw.some(forms[1:-1], 4)
    return Draft(
        question=f"A CTC recogniser writes its blank as a hyphen; which of these frame label sequences does it "
        f'decode as "{found[0]}"?',
        options=tuple(_path(draw, form) for form in found),
        check=f"ctc_decodes(text={found[0]!r})",
        rationale="Repeated labels merge unless a blank stands between them, then blanks are dropped; only a "
        "doubled letter has a blank inside.",
    )


def _path(draw: Draw, text: str, frames: int = 10) -> str:
    """Labels for a number of frames that stand for a text."""
    runs = [text[0]]
    for before, letter in pairwise(text):
        runs += ["-", letter] if before == letter else [letter]
    places = [k for k in range(1, len(runs)) if "-" not in (runs[k - 1], runs[k])]
    for place in sorted(draw.some(places, draw.one((0, 1))), reverse=True):
        runs.insert(place, "-")
    while sum(map(len, runs)) < frames:
        place = draw.one(range(len(runs)))
        runs[place] += runs[place][0]
    return "".join(runs)


def _made(name: str, count: int, make: Callable[[Draw], Draft | None], ref: str) -> Template:
    return Template(name, "technical", count, make, (Source(kind="formula", ref=ref),))


TEMPLATES: tuple[Template, ...] = (
    _made("formats-codecs/equal-rate", 4, equal_rate, "bit rate = sampling rate x bits x channels"),
    _made("formats-codecs/stream-size", 4, stream_size, "bytes = bit rate x time / 8"),
    _made("formats-codecs/first-loss", 4, first_loss, "which of the named codecs are lossless"),
    _made("speech-audio-ml/error-kinds", 4, error_kinds, "errors of the cheapest alignment of words"),
    _made("speech-audio-ml/detector-share", 4, detector, "precision = TP / (TP + FP), recall = TP / (TP + FN)"),
    _made("speech-audio-ml/ctc-path", 4, ctc_path, "CTC: merge repeated labels, then drop blanks (Graves et al. 2006)"),
)
