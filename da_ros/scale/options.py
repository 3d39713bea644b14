"""The numbers of the scale room that are chosen, not derived, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FitOptions:
    """How a fit is made, and when it is refused.

    Attributes:
        seed: Of the pairs drawn; the same points and seed give the same fit.
        threshold: Of RANSAC: a point supports a pair if |s d + t - y| is below this share of y.
        model_error: Relative error of the model that a fit starts from.
        model_error_weight: How many points that starting value is worth when it is re-estimated.
        fewest_points: Fewer are refused, and so are fewer inliers.
        lowest_inlier_ratio: Inliers among very many points. Half may be wrong, hence less.
        chance: Over the square root of their number, what few points need beyond that: a line
            through two of eight meets others by chance.
        smallest_spread: Standard deviation of the inliers' y over their mean.
        largest_scale_error: Standard deviation of s over s; above, the fit is ill-conditioned.
        correlation_length: Over which the model's error stays alike, as a share of the image's
            diagonal; 0 for independent errors. Used where pixels are given.
        hypotheses: Pairs tried at least; all pairs where they are few.
        trusted: Whether what disagrees with the fit is the model's fault and not the sensor's, so
            that it counts in the deviation of a pixel.
    """

    seed: int = 0
    threshold: float = 0.08
    model_error: float = 0.05
    model_error_weight: float = 4.0
    fewest_points: int = 8
    lowest_inlier_ratio: float = 0.35
    chance: float = 0.8
    smallest_spread: float = 0.05
    largest_scale_error: float = 0.5
    correlation_length: float = 0.14
    hypotheses: int = 128
    trusted: bool = False


@dataclass(frozen=True)
class FilterOptions:
    """How a scale lives on between observations.

    Attributes:
        gate: Chi-square that an update may have; 9.21 is the 99 % point of two numbers.
        rejects_before_reset: So many updates in a row outside the gate mean that the filter is
            wrong, not they.
        growth: Relative standard deviation that a second without observation adds [1/sqrt(s)].
        held_after: Age of the last update from which the scale is called held [s].
        stale_after: Age from which it is no scale any more [s].
        longest_gap: Frames farther apart are not aligned to each other [s].
        least_share: Of a single fit's variance that always stays: the fits of one scene share the
            model's error, and a hundred of them are not a hundred times as good. One of which that
            share is more than what is known already adds nothing to it.
        wander: How much the line that is right for a frame moves from one to the next, over the
            part of a fit's variance that is the model's error. Where many points tell that line,
            the fit counts four times as much as what is remembered; with a noisy sensor's few
            points, remembering averages.
    """

    gate: float = 9.21
    rejects_before_reset: int = 3
    growth: float = 0.02
    held_after: float = 1.0
    stale_after: float = 5.0
    longest_gap: float = 1.0
    least_share: float = 1.0
    wander: float = 3.0
