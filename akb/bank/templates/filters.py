"""Templates on filters and equalization."""

from __future__ import annotations

from collections.abc import Callable

from akb.bank.templates.frame import Draft, Draw, Template, number
from akb.tasks.items import Source

ROOM = "filters-eq"
ORDERS = ("First order", "Second order", "Third order", "Fourth order")
TYPES = ("Low-pass", "High-pass", "Band-pass", "Band-stop")


def slope_order(draw: Draw) -> Draft | None:
    """The order of a filter from its slope."""
    octaves, cutoff = draw.one((1, 2, 3)), draw.one((50, 100, 125, 200, 250, 300, 400, 500))
    near = cutoff * draw.one((4, 8))
    far = near * 2**octaves
    drop = 6 * (draw.rank + 1) * octaves
    return Draft(
        question=f"A Butterworth low-pass with a cutoff of {cutoff} Hz weakens {number(far)} Hz by about {drop} dB "
        f"more than {number(near)} Hz; of which order is it?",
        options=(ORDERS[draw.rank], *(name for name in ORDERS if name != ORDERS[draw.rank])),
        check=f"slope_order(cutoff_hz={cutoff}, near_hz={near}, far_hz={far}, drop_db={drop})",
        rationale=f"{drop} dB over {octaves} octave{'s'[: octaves - 1]} is {drop // octaves} dB per octave, and each "
        "order adds 6 dB per octave.",
    )


def filtered_tone(draw: Draw) -> Draft | None:
    """Which of four tones comes out of a filter strongest or weakest."""
    edges = {0: [("low-pass", "strongest"), ("high-pass", "weakest")]}
    edges[3] = [("high-pass", "strongest"), ("low-pass", "weakest")]
    middle = [("band-pass", "strongest"), ("notch", "weakest")]
    kind, wanted = draw.one(draw.one([edges.get(draw.rank, middle), middle]))
    hz = draw.one((100, 150, 200, 250, 300, 400, 500, 600, 800, 1000, 1200, 1500, 2000))
    key = hz * {("low-pass", "weakest"): 8, ("high-pass", "weakest"): 0.125}.get((kind, wanted), 1)
    if kind in ("low-pass", "high-pass") and wanted == "strongest":
        key = hz * (0.5 if kind == "low-pass" else 2)
    steps = [0.05, 0.1, 0.2, 0.25, 4, 5, 8, 10, 16]
    if kind in ("band-pass", "notch"):
        key = hz * draw.one((0.8, 1.25))
        steps += [0.3, 0.4, 2.5, 3]
    wrong = draw.around(key, [key * step for step in steps])
    if (
        wrong is None
        or any(round(f, 6) % 1 for f in [key, *wrong])
        or min([key, *wrong]) < 20
        or max([key, *wrong]) > 18000
    ):
        return None
    where = (
        f"with its cutoff at {number(hz)} Hz"
        if "pass" in kind and "band" not in kind
        else f"centred on {number(hz)} Hz"
    )
    return Draft(
        question=f"Four tones of equal level enter a second-order {kind} filter {where}; which of them comes out "
        f"{wanted}?",
        options=tuple(f"{number(f)} Hz" for f in [key, *wrong]),
        check=f"filtered_tone(kind={kind!r}, hz={hz}, wanted={wanted!r})",
        rationale=f"{number(key)} Hz is {key / hz:g} times {number(hz)} Hz, and of the four a {kind} filter "
        f"there leaves it {wanted}.",
    )


def comb(draw: Draw) -> Draft | None:
    """Peaks and nulls of a signal with its echo."""
    delay = draw.one((0.1, 0.125, 0.2, 0.25, 0.4, 0.5, 0.8, 1, 1.25, 2, 2.5, 4, 5))
    inverted, wanted = draw.one((True, False)), draw.one(("cancelled", "doubled"))
    odd = inverted == (wanted == "doubled")
    quarters = [2, 6, 10] if odd else [4, 8, 12]
    key = draw.one(quarters)
    unit = 250 / delay
    wrong = draw.around(key, [q for q in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16) if q % 4 != key % 4])
    if wrong is None or any(unit * q % 1 for q in [key, *wrong]):
        return None
    copy = "polarity-inverted copy" if inverted else "copy"
    return Draft(
        question=f"A signal is added to an equally strong {copy} of itself, delayed by {delay:g} ms; which of these "
        f"frequencies is {wanted} in amplitude?".replace("cancelled in amplitude", "cancelled"),
        options=tuple(f"{number(unit * q)} Hz" for q in [key, *wrong]),
        check=f"comb_extreme(delay_ms={delay}, inverted={inverted}, wanted={wanted!r})",
        rationale=f"In {delay:g} ms a tone of {number(unit * key)} Hz advances by {90 * key} degrees, which with "
        f"{'inverted' if inverted else 'equal'} polarity leaves it {wanted}.",
    )


def filter_type(draw: Draw) -> Draft | None:
    """The type of a filter from its losses at three frequencies."""
    tones = [draw.one((20, 25, 30, 40)), draw.one((500, 600, 800, 1000)), draw.one((16000, 18000, 20000))]
    passed = draw.one((("110", "100"), ("011", "001"), ("010",), ("101",))[draw.rank])
    passes, stops = (draw.some(values, 3) for values in ((0.1, 0.2, 0.3, 0.5, 1), (25, 30, 36, 40, 48)))
    stops.sort(reverse=passed == "001")  # a filter of one slope stops the more, the further off
    losses = {f: (passes if p == "1" else stops)[k] for k, (f, p) in enumerate(zip(tones, passed, strict=True))}
    did = ", ".join(f"{'stops' if loss > 3 else 'passes'} {number(f)} Hz" for f, loss in losses.items())
    told = [f"{number(f)} Hz by {losses[f]:g} dB" for f in draw.some(tones, 3)]
    return Draft(
        question=f"Over the audible range, a filter weakens {told[0]}, {told[1]} and {told[2]}; of which type is it?",
        options=(TYPES[draw.rank], *(name for name in TYPES if name != TYPES[draw.rank])),
        check=f"filter_type(losses_db={losses})",
        rationale=f"In rising order it {did}.",
    )


def _made(pattern: str, count: int, make: Callable[[Draw], Draft | None], ref: str) -> Template:
    return Template(f"{ROOM}/{pattern}", "technical", count, make, (Source(kind="formula", ref=ref),))


TEMPLATES: tuple[Template, ...] = (
    _made("slope-order", 3, slope_order, "each order adds 6 dB per octave far from the cutoff"),
    _made("filtered-tone", 3, filtered_tone, "magnitude response of second-order sections"),
    _made("comb-extreme", 3, comb, "|1 +- exp(-2 pi i f t)|"),
    _made("filter-type", 3, filter_type, "definitions of the four types"),
)
