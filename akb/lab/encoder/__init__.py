"""lab-encoder: a Whisper encoder in miniature that hears what akb.lab.sound makes (docs/design/lab.md)."""
