"""Images become bits, as a definition pixel by pixel says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attractor.train.pixels import PixelCode


def random_images(count: int = 40, pixels: int = 9, seed: int = 0) -> np.ndarray:
    images = np.random.default_rng(seed).integers(3, 12, (count, pixels)).astype(float)
    images[:, 4] = 7.0  # the same in all images
    return images


def test_bits_are_comparisons_with_levels() -> None:
    images = random_images()
    code = PixelCode.of_images(images, (0.25, 0.75))
    assert (code.black, code.white) == (3.0, 11.0)
    assert not {4, 9 + 4} & set(code.inputs)
    bits = code.bits(images)
    for column, number in enumerate(code.inputs):
        level, pixel = divmod(number, 9)
        expected = images[:, pixel] >= (5.0, 9.0)[level]
        np.testing.assert_array_equal(bits[:, column], expected)
    assert bits.shape == (40, 16)


@settings(deadline=None)
@given(most=st.integers(1, 20), seed=st.integers(0, 20))
def test_the_most_evenly_divided_inputs_are_kept(most: int, seed: int) -> None:
    images = random_images(seed=seed)
    every = PixelCode.of_images(images, (0.25, 0.75))
    few = PixelCode.of_images(images, (0.25, 0.75), most=most)
    assert list(few.inputs) == sorted(few.inputs)
    assert len(few.inputs) == min(most, len(every.inputs))
    share = dict(zip(every.inputs, every.bits(images).mean(axis=0), strict=True))
    evenness = {number: round(part * (1 - part), 9) for number, part in share.items()}
    left_out = set(every.inputs) - set(few.inputs)
    assert all(evenness[kept] >= evenness[other] for kept in few.inputs for other in left_out)


def test_other_images_are_compared_with_the_levels_of_the_first() -> None:
    code = PixelCode.of_images(np.array([[0.0, 10.0], [10.0, 0.0]]), (0.5,))
    np.testing.assert_array_equal(code.bits([[5.0, 4.9], [99.0, -3.0]]), [[1, 0], [1, 0]])


def test_values_of_inputs_become_an_image() -> None:
    code = PixelCode(4, 0.0, 1.0, (0.3, 0.6), (0, 1, 5, 7))
    image = code.image([[1, 1, -1, -1], [1, 1, 1, 1]])
    np.testing.assert_array_equal(image, [[1, 0, np.nan, -1], [1, 1, np.nan, 1]])
    assert code.image([1, -1, -1, 1]).tolist()[:2] == [1, -1]


@pytest.mark.parametrize(
    ("levels", "most", "message"),
    [
        ((), None, r"levels are \(\)"),
        ((0.0,), None, r"levels are \(0.0,\); give one or more, above 0"),
        ((0.5, 1.1), None, "levels are"),
        ((0.5,), 0, "inputs is 0"),
    ],
)
def test_levels_out_of_range(levels: tuple[float, ...], most: int | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PixelCode.of_images(random_images(), levels, most=most)


def test_images_that_are_all_the_same() -> None:
    with pytest.raises(ValueError, match=r"no pixel is at least 0\.5 or 0\.9 in some images and below it in others"):
        PixelCode.of_images(np.ones((5, 4)), (0.5, 0.9))
