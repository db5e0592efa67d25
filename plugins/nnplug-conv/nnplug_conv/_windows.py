"""Windows that slide over images: how many there are, and what stands at one place of every window."""

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

    @property
    def overlap(self) -> bool:
        """Whether a pixel can stand in two windows."""
        return self.stride < self.size

    def count(self, height: int, width: int) -> tuple[int, int]:
        """How many windows fit below and beside each other, (P, Q): ``P = (height - K) // stride + 1``."""
        return (height - self.size) // self.stride + 1, (width - self.size) // self.stride + 1

    def places(self, images: Array, axis: int) -> Iterator[Array]:
        """For each place in a window, row by row, a view of that place in all P x Q windows.

        Args:
            images: an array with the height of images along ``axis`` and their width along the next.
            axis: as said.
        """
        down, across = self.count(*images.shape[axis : axis + 2])
        before = (slice(None),) * axis
        for i in range(self.size):
            rows = slice(i, i + self.stride * (down - 1) + 1, self.stride)
            for j in range(self.size):
                columns = slice(j, j + self.stride * (across - 1) + 1, self.stride)
                yield images[(*before, rows, columns)]


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
        raise ShapeError(f"{layer} needs floating-point images, given {x}; set input_dtype to float32 or float64")
    channels, height, width = x.shape
    return channels, height, width


def check_fits(layer: str, size: int, height: int, width: int, more: str = "") -> None:
    """Refuse windows larger than the image; ``more`` is said of its size.

    Raises:
        ShapeError: with both sizes.
    """
    if size > height or size > width:
        raise ShapeError(f"{layer} has windows of {size}x{size}, larger than the image of {height}x{width}{more}")
