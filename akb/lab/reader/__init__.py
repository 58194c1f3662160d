"""akb-reader: a language model in miniature that reads descriptions of sounds (docs/design/lab.md)."""
