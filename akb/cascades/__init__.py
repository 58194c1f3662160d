"""Cascades: a captioner turns audio into words, a text model answers from the words."""
