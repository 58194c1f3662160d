"""akb: choose the backbone of an audio language model by text-only tests of auditory knowledge.

import akb
run = akb.evaluate("akb-tiny", "phonetic", protocol="akb-v1-cloze")
print(run.table())
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from akb.errors import AkbError as AkbError
    from akb.evaluation import evaluate as evaluate
    from akb.run import Run as Run

    __version__: str

__all__ = ["AkbError", "Run", "__version__", "evaluate"]

_HOMES = {"AkbError": "akb.errors", "Run": "akb.run", "evaluate": "akb.evaluation"}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("akb")
    if name not in _HOMES:
        raise AttributeError(f"module 'akb' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)
