"""A small closed world of general knowledge on sound, so that the model has met the field's words.

These facts are only ever trained on: nothing in tasks/lab-facts asks for them, because a fact about one animal or
one instrument follows from no other, and a model of this size cannot know what it was not told.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Table:
    """Pairs (entity, answer) of one kind, and frames that ask and state: {x} is the entity, {a} the answer."""

    name: str
    asks: tuple[str, ...]
    states: tuple[str, ...]
    rows: tuple[tuple[str, str], ...]


def _rows(text: str) -> tuple[tuple[str, str], ...]:
    pairs = (line.split(":") for line in text.split(";"))
    return tuple((entity.strip(), answer.strip()) for entity, answer in pairs)


TABLES = (
    Table(
        "call",
        ("What does a {x} do when it makes its call?", "Which verb is used for the voice of a {x}?"),
        ("A {x} is heard to {a}.", "To {a} is what a {x} does."),
        _rows(
            "dog: bark; cat: meow; cow: moo; horse: neigh; sheep: bleat; pig: oink; duck: quack; "
            "lion: roar; wolf: howl; frog: croak; bee: buzz; owl: hoot; snake: hiss; mouse: squeak; "
            "crow: caw; rooster: crow; goose: honk; donkey: bray; cricket: chirp; turkey: gobble; "
            "dove: coo; elephant: trumpet; bear: growl"
        ),
    ),
    Table(
        "dynamics",
        ("In a score, what does {x} mean?", "What is the meaning of the marking {x}?"),
        ("{x} means {a}.", "A part marked {x} is played {a}."),
        _rows(
            "piano: soft; forte: loud; pianissimo: very soft; fortissimo: very loud; "
            "mezzo piano: fairly soft; mezzo forte: fairly loud; diminuendo: growing softer; "
            "sforzando: with a sudden accent; largo: very slow; adagio: slow; andante: at walking pace; "
            "moderato: at moderate speed; allegro: fast; presto: very fast; ritardando: slowing down; "
            "accelerando: speeding up; staccato: short and detached; legato: smooth and joined; "
            "pizzicato: plucked; tremolo: trembling; dolce: sweetly"
        ),
    ),
    Table(
        "family",
        ("To which family of instruments does the {x} belong?", "What kind of instrument is a {x}?"),
        ("The {x} is of the {a} family.", "Among the {a} instruments is the {x}."),
        _rows(
            "violin: string; viola: string; cello: string; harp: string; guitar: string; banjo: string; "
            "flute: woodwind; oboe: woodwind; clarinet: woodwind; bassoon: woodwind; "
            "saxophone: woodwind; trumpet: brass; trombone: brass; tuba: brass; horn: brass; "
            "cornet: brass; drum: percussion; cymbal: percussion; triangle: percussion; "
            "xylophone: percussion; gong: percussion"
        ),
    ),
    Table(
        "unit",
        ("In which unit is {x} given?", "What is the unit of {x}?"),
        ("The unit of {x} is the {a}.", "{x} is measured in {a}."),
        _rows(
            "frequency: hertz; sound level: decibel; tempo: beats a minute; sound pressure: pascal; "
            "loudness: sone; loudness level: phon; musical interval: cent; sound power: watt; "
            "electrical resistance: ohm; voltage: volt; bit rate: bits a second"
        ),
    ),
    Table(
        "source",
        ("What makes the sound of {x}?", "You hear {x}. What is the likely source?"),
        ("The sound of {x} comes from {a}.", "Hearing {x}, think of {a}."),
        _rows(
            "thunder: lightning; ticking: a clock; a siren: an ambulance; sizzling oil: a frying pan; "
            "sawing: a saw; splashing: water; rustling: dry leaves; a shutter click: a camera; "
            "ringing: a bell; dripping: a tap; hammering: a hammer; snoring: a sleeper; "
            "whistling steam: a kettle; typing: a keyboard; applause: an audience; crackling: a fire; "
            "humming: a refrigerator"
        ),
    ),
    Table(
        "noise",
        ("Which fault gives {x}?", "What causes {x} in a recording?"),
        ("{x} comes from {a}.", "The cause of {x} is {a}."),
        _rows(
            "flat-topped waveforms: clipping; mains hum: a ground loop; "
            "bursts of breath on p and b: plosives; sharp s sounds: sibilance; "
            "a hollow sound of a comb filter: a delayed copy; false low tones after sampling: aliasing; "
            "a tail of sound after a clap: reverberation; gaps in a call: packet loss; "
            "gritty sound at low levels: coarse quantisation"
        ),
    ),
)
