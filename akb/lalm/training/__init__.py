"""Training grounded models: the same recipe gives the same losses, also where it was killed and went on."""
