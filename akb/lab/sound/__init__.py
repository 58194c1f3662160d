"""Sounds with exactly known properties, made from nothing by numpy and scipy.

A scene (`scene.Scene`) is a description that can be written as JSON; `render` makes its samples, `truth` says what is
known of it, `write_wav` writes it. Every sound is synthetic: it has the properties that it is made with, is like what
it is named after in these only, and says nothing of recordings.
"""

from akb.lab.sound.render import render, write_wav
from akb.lab.sound.scene import SOURCES, Scene, read_scene, truth

__all__ = ["SOURCES", "Scene", "read_scene", "render", "truth", "write_wav"]
