"""Questions on track loudness, compressors and listening tests."""

from __future__ import annotations

from math import comb

from akb.bank.templates.frame import Draft, Draw, Template
from akb.tasks.items import Source

LEVELS = (-10, -8, -6, -4, -2)
RATIOS = (2, 3, 4, 5, 10)
TRIALS = (6, 8, 10, 12, 14, 15, 16, 18, 20, 24, 25, 30, 32, 36, 40, 50)
PEAKS = (Source(kind="standard", ref="ITU-R BS.1770: loudness and true peak both move by the gain applied"),)
CURVE = (Source(kind="formula", ref="hard-knee compressor: what is above the threshold is divided by the ratio"),)
BINOMIAL = (Source(kind="formula", ref="binomial distribution with a chance of one half"),)


def minus(value: int) -> str:
    """A whole number with a true minus sign."""
    return str(value).replace("-", "\u2212")


def track_headroom(draw: Draw) -> Draft | None:
    target, ceiling = draw.one((-14, -16, -18)), draw.one((-1, -2))
    limiting = draw.one((True, False))
    room = ceiling - target
    loudness = sorted(draw.some(range(target - 12, target - 1), 4))
    key = loudness[draw.rank]
    steps = draw.some((1, 2, 3, 4, 5), 4) if limiting else draw.some((-5, -4, -3, -2, -1), 4)
    # Peak over loudness: the key on one side of the room that the target leaves, the others on the other.
    ratios = {value: room - step for value, step in zip(loudness, steps, strict=True)}
    ratios[key] = room + (draw.one((1, 2, 3)) if limiting else -draw.one((1, 2, 3)))
    tracks = [(value, value + ratios[value]) for value in (key, *(v for v in loudness if v != key))]
    peaks = [peak for _, peak in tracks]
    if max(peaks) > -1 or len(set(peaks)) < 4:
        return None
    if peaks[0] == (max(peaks) if limiting else min(peaks)) and draw.random.random() < 0.7:
        return None  # else the peak alone would tell the key too often
    if limiting:
        ask = f"Which of these tracks needs limiting to reach {minus(target)} LUFS"
        tail = f"without its true peak passing {minus(ceiling)} dBTP?"
    else:
        ask = f"Which of these tracks can be raised by plain gain to {minus(target)} LUFS"
        tail = f"without its true peak passing {minus(ceiling)} dBTP?"
    gain = target - key
    return Draft(
        f"{ask} {tail}",
        tuple(f"{minus(level)} LUFS, true peak {minus(peak)} dBTP" for level, peak in tracks),
        f"track_headroom(target_lufs={target}, ceiling_dbtp={ceiling}, limiting={limiting})",
        f"It needs {gain} dB of gain, which takes its peak from {minus(peaks[0])} to {minus(peaks[0] + gain)} dBTP.",
        slot=f"{target} {ceiling} {limiting} {tracks[0]}",
    )


def compressor_setting(draw: Draw) -> Draft | None:
    level, extreme = draw.one(LEVELS), draw.one(("most", "least"))
    pairs = [(ratio * draw.random.randint(-(-6 // ratio), 30 // ratio), ratio) for ratio in draw.some(RATIOS, 4)]
    overs, ratios = zip(*sorted(pairs, reverse=True), strict=True)  # lowest threshold first
    if len(set(overs)) < 4:
        return None
    settings = [(level - over, ratio) for over, ratio in zip(overs, ratios, strict=True)]
    cuts = [over - over // ratio for over, ratio in zip(overs, ratios, strict=True)]
    key = settings[draw.rank]
    ordered = sorted(cuts, reverse=extreme == "most")
    if cuts[draw.rank] != ordered[0] or abs(ordered[0] - ordered[1]) < 1:
        return None
    most = max(settings, key=lambda s: s[1]) if extreme == "most" else min(settings, key=lambda s: s[1])
    if most == key and draw.rank == (0 if extreme == "most" else 3):
        return None  # lowest threshold and highest ratio at once
    verb = "lowers a steady tone of" if extreme == "most" else "takes the fewest decibels off a steady tone of"
    tail = " the most" if extreme == "most" else ""
    return Draft(
        f"Without make-up gain, which of these settings of a hard-knee compressor {verb} {minus(level)} dBFS{tail}?",
        tuple(
            f"Threshold {minus(threshold)} dBFS, ratio {ratio}:1"
            for threshold, ratio in [key, *(setting for setting in settings if setting != key)]
        ),
        f"compressor_setting(level_dbfs={level}, extreme={extreme!r})",
        f"Its {level - key[0]} dB above the threshold become {(level - key[0]) // key[1]} dB, a reduction of "
        f"{cuts[draw.rank]} dB; the others give {', '.join(str(cut) for cut in sorted(set(cuts) - {ordered[0]}))} dB.",
        slot=f"{extreme} {level} {key}",
    )


def unlikely(right: int, trials: int) -> float:
    """Chance of at least so many hits by guessing, each term from the one before."""
    term = comb(trials, right) / 2**trials
    total = 0.0
    for hits in range(right, trials + 1):
        total += term
        term *= (trials - hits) / (hits + 1)
    return total


def abx_evidence(draw: Draw) -> Draft | None:
    trials = sorted(draw.some(TRIALS, 4))
    shares = [draw.random.uniform(0.75, 1.0) if i == draw.rank else draw.random.uniform(0.6, 0.9) for i in range(4)]
    results = [(round(n * share), n) for n, share in zip(trials, shares, strict=True)]
    key = results[draw.rank]
    chances = sorted((unlikely(*result), result) for result in results)
    if chances[0][1] != key or chances[0][0] * 4 > chances[1][0] or chances[0][0] < 1e-5 or chances[-1][0] > 0.4:
        return None
    others = [result for result in results if result != key]
    share = key[0] / key[1]
    best_share = all(share > right / n for right, n in others)
    most_right = all(key[0] > right for right, _ in others)
    if best_share and (most_right or (draw.rank and draw.random.random() < 0.95)):
        return None  # the share of hits is not to tell the key
    return Draft(
        "Which of these results of ABX listening tests is least likely to come about by guessing alone?",
        tuple(f"{right} right in {n} trials" for right, n in [key, *others]),
        "abx_evidence()",
        f"Guessing reaches {key[0]} or more of {key[1]} with a chance of {chances[0][0]:.2g}; the next least likely "
        f"result, {chances[1][1][0]} of {chances[1][1][1]}, has {chances[1][0]:.2g}.",
        slot=f"{key[0]} of {key[1]}",
    )


TEMPLATES: tuple[Template, ...] = (
    Template("loudness-dynamics/track-headroom", "audio-quality", 4, track_headroom, PEAKS),
    Template("loudness-dynamics/compressor-setting", "audio-quality", 4, compressor_setting, CURVE),
    Template("quality-assessment/abx-evidence", "audio-quality", 3, abx_evidence, BINOMIAL),
)
