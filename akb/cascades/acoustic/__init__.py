"""The acoustic captioner: measured properties of a clip put into words. It has no weights and names no sources."""

from akb.cascades.acoustic.adapter import Acoustic, build
from akb.cascades.acoustic.measures import Measures, measure
from akb.cascades.acoustic.wording import VOCABULARY, caption

__all__ = ["VOCABULARY", "Acoustic", "Measures", "build", "caption", "measure"]
