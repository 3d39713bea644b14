"""The nouns in words."""

from __future__ import annotations

from dataclasses import replace

from da_ros.types import Kind, ModelInfo


class TestModelInfo:
    def test_in_words(self) -> None:
        model = ModelInfo("v2-small", "0" * 64, True, Kind.RELATIVE_INVERSE_DEPTH)
        assert str(model) == "v2-small (relative_inverse_depth)"

    def test_only_the_user_says_so(self) -> None:
        model = ModelInfo("v2-small", "0" * 64, True, Kind.RELATIVE_INVERSE_DEPTH)
        assert "unverified" in str(replace(model, verified=False))
