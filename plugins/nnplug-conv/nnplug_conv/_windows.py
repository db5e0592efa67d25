"""Windows that slide over images: where they stand, and what stands at one place of every window."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from nnplug import Array, ArraySpec, ShapeError


@frozen
class Windows:
    """Windows of ``size`` x ``size`` that start every ``stride`` pixels of an image.

    Args:
        size: height and width of a window, K.
        stride: the distance between windows.
    """

    size: int
    stride: int

    def count(self, length: int) -> int:
        """How many windows fit along a side of ``length`` pixels: ``(length - K) // stride + 1``."""
        return (length - self.size) // self.stride + 1

    def places(self, image: Array) -> Iterator[tuple[int, int, Array]]:
        """For each place (i, j) in a window, a view of that place in all windows, (N, C, windows down, across)."""
        down, across = self.count(image.shape[2]), self.count(image.shape[3])
        for i in range(self.size):
            for j in range(self.size):
                rows = slice(i, i + self.stride * (down - 1) + 1, self.stride)
                columns = slice(j, j + self.stride * (across - 1) + 1, self.stride)
                yield i, j, image[:, :, rows, columns]


def image_shape(layer: str, x: ArraySpec) -> tuple[int, int, int]:
    """The (C, H, W) of a sample.

    Raises:
        ShapeError: it is no image, or not floating point.
    """
    if len(x.shape) != 3:
        raise ShapeError(
            f"{layer} needs images (C, H, W), given samples of shape {x.shape}; "
            "a data loader may have an option for that, such as flatten = false"
        )
    if x.dtype.kind != "f":
        raise ShapeError(f"{layer} needs floating-point images, given {x}")
    channels, height, width = x.shape
    return channels, height, width


def check_fits(layer: str, size: int, height: int, width: int) -> None:
    """Refuse windows larger than the image.

    Raises:
        ShapeError: with both sizes.
    """
    if size > height or size > width:
        raise ShapeError(f"{layer} has windows of {size}x{size}, larger than the image of {height}x{width}")
