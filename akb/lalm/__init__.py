"""Grounding: a text model learns to read audio by the DeSTA recipe (arXiv 2507.02768), with all else frozen."""
