"""Questions on storms, and on what is loudest or heard first."""

from __future__ import annotations

from akb.bank.templates.frame import Draft, Draw, Template, number
from akb.tasks.items import Source

MINUTES = ("five", "ten", "fifteen", "twenty")
SOURCES_OF_NOISE = (
    *("lawn mowers", "chainsaws", "leaf blowers", "generators", "motorcycles", "water pumps", "tractors"),
    *("brush cutters", "pneumatic drills", "snow blowers"),
)
COUNTS = (2, 3, 4, 5, 6, 8, 10, 12, 16, 20)
DISTANCES = (5, 10, 15, 20, 25, 30, 40, 50, 60, 80, 100)
# Media, with the metres that sound covers in them in a second at about 20 degrees, roundly.
MEDIA = {"carbon dioxide": 267, "air": 343, "helium": 1010, "water": 1500, "steel": 5500}
PATHS = (100, 150, 200, 250, 300, 400, 500, 600, 800, 1000, 1200, 1500, 2000, 2500, 3000, 4000, 5000, 6000, 8000)
SOUND_SPEED = (Source(kind="formula", ref="distance = delay x speed of sound, about 1 km in 3 s in air"),)
SPREADING = (Source(kind="formula", ref="intensity of uncorrelated point sources: number over distance squared"),)
MEDIUM = (Source(kind="general", ref="speed of sound at 20 C: carbon dioxide, air, helium, water, steel"),)


def thunder_gaps(draw: Draw) -> Draft | None:
    gap, later = draw.one(range(3, 28, 3)), draw.one(range(3, 28, 3))
    seconds = gap - later
    key = seconds // 3
    if not 1 <= abs(key) <= 4:
        return None
    pool = {-key, seconds, -seconds, 2 * key, -2 * key, key + 1, key - 1, key + 2, key - 2} - {0}
    wrong = draw.around(key, pool)
    if wrong is None:
        return None
    minutes = draw.one(MINUTES)
    return Draft(
        f"Thunder follows a flash by {gap} s, and {minutes} minutes later another flash by {later} s; "
        "where is the storm now, compared with before?",
        tuple(f"About {abs(value):g} km {'nearer' if value > 0 else 'farther away'}" for value in (key, *wrong)),
        f"storm_distance(gap_s={gap}, later_gap_s={later})",
        f"Sound takes about 3 s for a kilometre, and the gap has changed by {abs(seconds)} s.",
        slot=f"{gap} {later}",
    )


def loudest_group(draw: Draw) -> Draft | None:
    extreme = draw.one(("most", "least"))
    things = draw.one(SOURCES_OF_NOISE)
    distances = sorted(draw.some(DISTANCES, 4))
    groups = list(zip(draw.some(COUNTS, 4), distances, strict=True))
    key = groups[draw.rank]
    shares = {group: group[0] / group[1] ** 2 for group in groups}
    ordered = sorted(groups, key=lambda group: shares[group], reverse=extreme == "most")
    if ordered[0] != key or max(shares.values()) > 20 * min(shares.values()):
        return None
    ratio = shares[ordered[0]] / shares[ordered[1]]
    most = max(groups) == key if extreme == "most" else min(groups) == key
    if max(ratio, 1 / ratio) < 1.4 or (most and draw.rank in (0, 3)):
        return None
    return Draft(
        f"Groups of equally loud {things} run in turn on an open field; "
        f"which of these gives a listener the {'highest' if extreme == 'most' else 'lowest'} sound level?",
        tuple(f"{n} {things} at {distance} m" for n, distance in [key, *(g for g in groups if g != key)]),
        f"group_at_distance(extreme={extreme!r})",
        f"Intensity goes with the number over the squared distance, and {key[0]} at {key[1]} m give the {extreme}.",
        slot=f"{extreme} {key}",
    )


def first_arrival(draw: Draw) -> Draft | None:
    extreme = draw.one(("most", "least"))
    lengths = sorted(draw.some(PATHS, 4))
    paths = list(zip(lengths, draw.some(MEDIA, 4), strict=True))
    key = paths[draw.rank]
    times = {path: path[0] / MEDIA[path[1]] for path in paths}
    ordered = sorted(paths, key=lambda path: times[path], reverse=extreme == "most")
    ratio = times[ordered[0]] / times[ordered[1]]
    if ordered[0] != key or max(ratio, 1 / ratio) < 1.35 or max(times.values()) > 12 * min(times.values()):
        return None
    speeds = sorted(MEDIA[medium] for _, medium in paths)
    if MEDIA[key[1]] == speeds[-1 if extreme == "least" else 0] and draw.rank == (0 if extreme == "least" else 3):
        return None  # a short path in the fastest medium asks for nothing
    return Draft(
        "At room temperature, through which of these straight paths does a click of sound take "
        f"the {'longest' if extreme == 'most' else 'shortest'} time?",
        tuple(f"{number(metres)} m of {medium}" for metres, medium in [key, *(p for p in paths if p != key)]),
        f"path_time(extreme={extreme!r})",
        "Sound covers about 270 m a second in carbon dioxide, 340 in air, 1,000 in helium, 1,500 in water and over "
        f"5,000 in steel, so {number(key[0])} m of {key[1]} take about {times[key]:.2g} s.",
        slot=f"{extreme} {key}",
    )


TEMPLATES: tuple[Template, ...] = (
    Template("natural-sounds/thunder-gaps", "sound", 4, thunder_gaps, SOUND_SPEED),
    Template("scenes-physical-reasoning/loudest-group", "sound", 4, loudest_group, SPREADING),
    Template("scenes-physical-reasoning/first-arrival", "sound", 4, first_arrival, MEDIUM),
)
