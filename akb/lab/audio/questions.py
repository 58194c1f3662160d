"""The question file of tasks/lab-audio.

python -m akb.lab.audio.questions --out tasks/lab-audio
"""

from __future__ import annotations

import argparse
from pathlib import Path

from akb.files import write_whole
from akb.lab.audio.making import SEED, items, spread


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the questions of tasks/lab-audio.")
    parser.add_argument("--out", type=Path, required=True)
    folder: Path = parser.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)
    made = spread(items(SEED))
    write_whole(folder / "questions.jsonl", (item.line() for item in made))
    print(f"{len(made)} questions -> {folder / 'questions.jsonl'}")


if __name__ == "__main__":
    main()
