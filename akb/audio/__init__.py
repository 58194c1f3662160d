"""Audio in: files are decoded, mixed and resampled by a declared policy, or it is said why they cannot be heard."""

from akb.audio.ahead import decode_many
from akb.audio.clips import clip_of, clips_of
from akb.audio.policy import Policy
from akb.audio.reading import chunks, read
from akb.audio.sound import Sound, Unhearable

__all__ = ["Policy", "Sound", "Unhearable", "chunks", "clip_of", "clips_of", "decode_many", "read"]
