"""Data for grounding: from audio with metadata to what the backbone itself says of it, ready to train on."""
