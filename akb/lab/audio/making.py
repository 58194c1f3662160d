"""Making the items of lab-audio, and as many like them as training needs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import zip_longest
from random import Random
from typing import Any

from akb.errors import AkbError
from akb.lab.audio import music, sounds, speech
from akb.lab.audio.frame import Template
from akb.lab.audio.item import AudioItem, held_out, key_of
from akb.lab.audio.proofs import UndecidedError, prove
from akb.lab.sound import Scene, read_scene

SEED = 7  # of the benchmark; with it, and only with it, clips are of the side that is held out
FOURS = 4  # fours of items from each template, in the benchmark
TRIES = 400  # scenes drawn for one item
NEW = 200  # of them that must be unlike all others of this run
TEMPLATES: tuple[Template, ...] = (*sounds.TEMPLATES, *music.TEMPLATES, *speech.TEMPLATES)


def items(seed: int, count: int | None = None, without: Collection[str] = ()) -> list[AudioItem]:
    """Items with proved keys; the same for the same seed on every machine.

    They come in fours that share question and options in one order, each option being the key of one of them; so keys
    stand evenly at all places, and nothing but the clip tells them. No clip of one seed is like one of `SEED`: the
    combinations of parameters are split in halves by `held_out`.

    Args:
        seed: `SEED` gives the benchmark, all others items for training and choosing.
        count: how many; none: as many as the benchmark has. Every template gives as many, within four.
        without: keys of clips (`key_of`) that are not to be made.

    Raises:
        AkbError: a template gives no clip that is on its side, not in `without` and proved.
    """
    fours = FOURS if count is None else -(-count // (4 * len(TEMPLATES)))
    made = _Maker(seed, set(without))
    rounds = [item for number in range(fours) for template in TEMPLATES for item in made.four(template, number)]
    place = {template.name: number for number, template in enumerate(TEMPLATES)}
    return sorted(rounds[: len(rounds) if count is None else count], key=lambda item: place[item.template_id])


def spread(made: Sequence[AudioItem]) -> list[AudioItem]:
    """Items in the order of the question file: one of each template and then the next of each, group by group in turn,
    so that the first so many questions hold as many templates as they can, and the items of a four stand far apart."""
    by_group: dict[str, dict[str, list[AudioItem]]] = {}
    for item in made:
        by_group.setdefault(item.category, {}).setdefault(item.template_id, []).append(item)
    turns = [own for row in zip_longest(*(group.values() for group in by_group.values())) for own in row if own]
    return [item for row in zip_longest(*turns) for item in row if item]


class _Maker:
    """Draws items, and knows which clips it has drawn."""

    def __init__(self, seed: int, without: set[str]) -> None:
        self.seed, self.without, self.drawn = seed, without, set[str]()

    def four(self, template: Template, number: int) -> Iterator[AudioItem]:
        """The four items that share a question and its options."""
        random = Random(f"lab-audio {self.seed} {template.name} {number}")
        truths = list(template.truths(random))
        random.shuffle(truths)
        options = [template.say(truth) for truth in truths]
        order = random.sample(range(4), 4)  # of the items, so that keys do not follow one another
        for place, answer in enumerate(order):
            yield AudioItem(
                id=f"{template.name.replace('/', '-')}-{'' if self.seed == SEED else f's{self.seed}-'}"
                f"{4 * number + place + 1:02d}",
                question=template.frames[number % len(template.frames)],
                options=(options[0], options[1], options[2], options[3]),
                answer=answer,
                category=template.category,
                subcategory=template.subcategory,
                template_id=template.name,
                needs=template.needs,
                scene=self._scene(template, truths[answer], options, answer, random),
            )

    def _scene(self, template: Template, truth: Any, options: Sequence[str], answer: int, random: Random) -> Scene:
        """A clip on this seed's side that no item had before; where there are no more, one with another seed."""
        for tries in range(TRIES):
            drawn = template.scene(random, truth)
            scene = read_scene({**drawn, "seed": random.randrange(2**31)}, f"template {template.name}")
            key = key_of(scene)
            if held_out(scene) is not (self.seed == SEED) or key in self.without:
                continue
            if key in self.drawn and (tries < NEW or self.seed == SEED):
                continue
            try:
                right = prove(template.name, scene, options)
            except UndecidedError:
                continue
            if [place for place, ok in enumerate(right) if ok] != [answer]:
                told = [option for option, ok in zip(options, right, strict=True) if ok]
                raise AkbError(f"{options[answer]!r} is the key, proved is {told}", where=f"template {template.name}")
            self.drawn.add(key)
            return scene
        raise AkbError(f"no further clip of {options[answer]!r} in {TRIES} draws", where=f"template {template.name}")
