"""Templates on microphones, spatial audio and psychoacoustics."""

from __future__ import annotations

import math

from akb.bank.templates.frame import Draft, Draw, Template, number
from akb.tasks.items import Source

PATTERNS = {"Cardioid": 0.5, "Supercardioid": 0.366, "Hypercardioid": 0.25, "Figure of eight": 0.0}
A_WEIGHTS = {63: -26, 125: -16, 250: -9, 500: -3, 1000: 0, 2000: 1, 4000: 1, 8000: -1}  # dB, rounded
SPEED = 340  # m/s


def pattern(draw: Draw) -> Draft | None:
    """Which microphone has this loss off axis."""
    angle, names = draw.one(range(40, 181, 5)), list(PATTERNS)
    losses = {name: _loss(share, angle) for name, share in PATTERNS.items()}
    key = names[draw.rank]
    near = min(abs(losses[key] - loss) for name, loss in losses.items() if name != key)
    if near < 1.5 or not 0.5 < losses[key] < 22:
        return None
    return Draft(
        question=f"Which ideal first-order microphone is about {losses[key]:.1f} dB less sensitive at {angle} degrees "
        "off axis than on axis?",
        options=(key, *(name for name in names if name != key)),
        check=f"microphone_pattern(angle_deg={angle}, loss_db={losses[key]:.1f})",
        rationale=f"With a share a of pressure its gain is a + (1 - a) cos {angle} degrees; a = {PATTERNS[key]:g} "
        f"loses {losses[key]:.1f} dB there.",
    )


def _loss(share: float, angle: float) -> float:
    return -20 * math.log10(abs(share + (1 - share) * math.cos(math.radians(angle))) + 1e-9)


def a_weighted(draw: Draw) -> Draft | None:
    """Which tone gives a reading on an A-weighted meter."""
    reading = draw.one(range(40, 86))
    wrong = draw.around(0, (-17, -13, -9, -6, -4, 4, 6, 9, 13, 17))
    if wrong is None:
        return None
    tones = draw.some(A_WEIGHTS, 4)
    levels = [reading + round(off) - A_WEIGHTS[f] for off, f in zip([0, *wrong], tones, strict=True)]
    weight = f"{A_WEIGHTS[tones[0]]:+d}".replace("-", "\N{MINUS SIGN}")
    return Draft(
        question=f"Which of these tones, given with its sound pressure level, makes an A-weighted level meter show "
        f"about {reading} dB?",
        options=tuple(f"{number(f)} Hz at {level} dB" for f, level in zip(tones, levels, strict=True)),
        check=f"a_weighted(reading_db={reading})",
        rationale=f"The A-weighting is about {weight} dB at {number(tones[0])} Hz, so {levels[0]} dB read "
        f"{reading} dB.",
    )


def align(draw: Draw) -> Draft | None:
    """Which loudspeaker to delay, and by how much."""
    delay, near = draw.one((2, 4, 5, 6, 8, 10, 12, 15)), draw.one((1.5, 2.0, 2.5, 3.0, 4.0, 5.0))
    right_side, bigger = draw.rank % 2, draw.rank // 2
    far = near + delay * SPEED / 1000
    left, right = (far, near) if right_side else (near, far)
    other = draw.one([delay / 2, delay * 3 / 4] if bigger else [delay * 2, delay * 3 / 2])
    if other % 1:
        return None
    told = [f"Delay the {side} one by {ms:.0f} ms" for ms in (delay, other) for side in ("left", "right")]
    key = f"Delay the {('left', 'right')[right_side]} one by {delay} ms"
    return Draft(
        question=f"A listener sits {left:.2f} m from the left and {right:.2f} m from the right loudspeaker; "
        f"at {SPEED} m/s, what makes both arrive together?",
        options=(key, *(text for text in told if text != key)),
        check=f"aligning_delay(left_m={left:.2f}, right_m={right:.2f}, speed_m_s={SPEED})",
        rationale=f"The nearer one has to wait for {far - near:.2f} m of travel, {delay} ms at {SPEED} m/s.",
    )


def first_arrival(draw: Draw) -> Draft | None:
    """Where the precedence effect puts a voice."""
    paths = draw.some((5, 10, 15, 20, 25), 2)  # milliseconds of travel
    starts = draw.one(([0, late := draw.one(range(2, 19))], [late, 0]))
    lead = paths[1] + starts[1] - paths[0] - starts[0]
    bigger, right_side = draw.rank // 2, draw.rank % 2
    others = [ms for ms in (late, abs(paths[0] - paths[1])) if (ms < abs(lead) if bigger else ms > abs(lead))]
    if not 2 <= abs(lead) <= 18 or (lead < 0) != bool(right_side) or not others:
        return None
    told = [
        f"In the {side} one, which leads by {ms} ms"
        for ms in (abs(lead), draw.one(others))
        for side in ("left", "right")
    ]
    key = f"In the {('left', 'right')[right_side]} one, which leads by {abs(lead)} ms"
    metres = [path * SPEED / 1000 for path in paths]
    after = [f"after {start} ms" if start else "at once" for start in starts]
    return Draft(
        question=f"A voice leaves the left loudspeaker ({metres[0]:.1f} m away) {after[0]} and the right "
        f"({metres[1]:.1f} m away) {after[1]}; where is it heard at equal loudness and {SPEED} m/s?",
        options=(key, *(text for text in told if text != key)),
        check=f"first_arrival(left=({starts[0]}, {metres[0]:.1f}), right=({starts[1]}, {metres[1]:.1f}), "
        f"speed_m_s={SPEED})",
        rationale=f"Its sound arrives after {paths[0] + starts[0]} ms from the left and {paths[1] + starts[1]} ms from "
        "the right, and the first wavefront decides where it is heard.",
    )


TEMPLATES: tuple[Template, ...] = (
    Template(
        "transducers-chain/pattern-loss",
        "technical",
        5,
        pattern,
        (Source(kind="formula", ref="first-order pattern a + (1 - a) cos; a = 0.5, 0.366, 0.25, 0"),),
    ),
    Template(
        "spatial-psychoacoustics/a-weighted-tone",
        "technical",
        4,
        a_weighted,
        (Source(kind="standard", ref="IEC 61672-1, A-weighting"),),
    ),
    Template(
        "spatial-psychoacoustics/aligning-delay",
        "technical",
        3,
        align,
        (Source(kind="formula", ref="t = d / c"),),
    ),
    Template(
        "spatial-psychoacoustics/first-arrival",
        "technical",
        3,
        first_arrival,
        (Source(kind="formula", ref="t = d / c, and the precedence effect"),),
    ),
)
