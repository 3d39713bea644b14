"""Generated scenes with exact depth: training data, sample sequences, ground truth for tests."""

from da_ros.training.scenes.families import FAMILIES
from da_ros.training.scenes.generate import SceneBatch, generate, write_scene
from da_ros.training.scenes.sequence import SceneSequence, render_sequence
from da_ros.training.scenes.textures import make_atlas

__all__ = [
    "FAMILIES",
    "SceneBatch",
    "SceneSequence",
    "generate",
    "make_atlas",
    "render_sequence",
    "write_scene",
]
