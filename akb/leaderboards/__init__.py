"""Boards: which runs may stand side by side, what is computed from them, and how it is shown."""
