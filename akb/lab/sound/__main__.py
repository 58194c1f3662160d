"""What there is, and one scene as a file:

python -m akb.lab.sound                       # every source and effect with its parameters
python -m akb.lab.sound scene.json clip.wav   # renders a scene; prints its truth
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from akb.errors import EXIT_ERROR, EXIT_OK, AkbError
from akb.lab.sound.effects import AnyEffect
from akb.lab.sound.render import render, write_wav
from akb.lab.sound.scene import SOURCES, read_scene, truth
from akb.strict import read_yaml


def parameters(model: type[BaseModel]) -> str:
    """A model's fields on one line: name, default, and what it may be."""
    schema = model.model_json_schema()
    found = []
    for name, field in schema["properties"].items():
        if name != "kind":
            found.append(f"{name}={json.dumps(field.get('default', '(needed)'))}{_may_be(field, schema)}")
    return ", ".join(found)


def _may_be(field: dict[str, Any], schema: dict[str, Any]) -> str:
    field = next((part for part in field.get("anyOf", ()) if part.get("type") != "null"), field)
    if "enum" in field:
        return f" of {'|'.join(str(value) for value in field['enum'])}"
    low = field.get("minimum", field.get("exclusiveMinimum"))
    high = field.get("maximum", field.get("exclusiveMaximum"))
    return "" if low is None and high is None else f" [{low}..{high}]"


def listing() -> str:
    """Every source and every effect, one a line."""
    lines = [f"{name} ({kind.group}: {kind.label}): {parameters(kind)}" for name, kind in SOURCES.items()]
    effects = get_args(get_args(AnyEffect)[0])
    return "\n".join([*lines, *(f"effect {e.model_fields['kind'].default}: {parameters(e)}" for e in effects)])


def main(arguments: list[str]) -> int:
    try:
        if not arguments:
            print(listing())
            return EXIT_OK
        if len(arguments) != 2:
            raise AkbError("a scene's file and the WAV file to write are wanted")
        scene = read_scene(read_yaml(Path(arguments[0])), arguments[0])
        write_wav(Path(arguments[1]), render(scene), scene.rate)
        print(json.dumps(truth(scene), indent=2))
    except AkbError as error:
        print(error, file=sys.stderr)
        return EXIT_ERROR
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
