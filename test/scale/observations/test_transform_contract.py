"""The contract of a transform source on our own buffer; test/ros/test_tf.py runs it on tf2's."""

from __future__ import annotations

from transform_contract import Given, TransformContract

from da_ros.scale.observations.transforms import TransformBuffer


class TestTransformBuffer(TransformContract):
    def make(self, transforms: list[Given]) -> TransformBuffer:
        buffer = TransformBuffer()
        for given in transforms:
            buffer.add(*given)
        return buffer

    def test_stamps_that_go_back_far_are_a_new_beginning(self) -> None:
        level = (0.0, 0.0, 0.0, 1.0)
        buffer = TransformBuffer(keep=1.0)
        buffer.add("odom", "base", 100_000_000_000, (1, 0, 0), level)
        buffer.add("odom", "base", 2_000_000_000, (2, 0, 0), level)
        assert buffer.lookup("odom", 2_000_000_000, "base", 0, None)[0, 3] == 2.0
