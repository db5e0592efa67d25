"""Random streams: one seed, independent by name, resumable, the same everywhere."""

from __future__ import annotations

import json

import numpy as np
import pytest

from nnplug.streams import Streams


def draw(generator, n=5):
    """Some numbers of a generator."""
    return generator.integers(0, 2**63, n).tolist()


@pytest.mark.parametrize("seed", [0, 1, 2**64, 2**200])
def test_the_same_seed_and_name_give_the_same_numbers(seed):
    """In another object, and whatever else was drawn before."""
    one, other = Streams(seed), Streams(seed)
    draw(other.get("shuffle"), 100)
    draw(other.get("layer", "dropout2"), 100)
    assert draw(one.get("layer", "dropout1")) == draw(other.get("layer", "dropout1"))


def test_seed_purpose_and_path_make_the_stream():
    """Change one of them and the numbers are others."""
    streams = [
        Streams(0).get("layer", "a"),
        Streams(1).get("layer", "a"),
        Streams(0).get("initialise", "a"),
        Streams(0).get("layer", "b"),
        Streams(0).get("layer"),
        Streams(0).get("layer", "aa"),
    ]
    assert len({tuple(draw(stream)) for stream in streams}) == len(streams)


def test_these_numbers_stay():
    """A seed must mean the same tomorrow, on every platform; so these are written down. The default seed is 0."""
    raw = Streams().fresh("layer", "dropout1").bit_generator.random_raw(3)
    assert raw.tolist() == [9338784212137284855, 15906994437986027910, 13989139442279753565]


def test_fresh_starts_anew_and_get_goes_on():
    """``fresh`` leaves the stream's own generator where it stands."""
    streams = Streams(3)
    first = draw(streams.get("shuffle"))
    assert draw(streams.fresh("shuffle")) == first
    second = draw(streams.get("shuffle"))
    assert second != first
    assert draw(Streams(3).get("shuffle"), 10) == first + second


def test_state_goes_through_json_and_back():
    """A checkpoint holds the positions; streams that were unused then start anew."""
    streams = Streams(5)
    draw(streams.get("shuffle"))
    draw(streams.get("layer", "block1.dropout1"))
    state = json.loads(json.dumps(streams.state()))
    expected = [draw(streams.get("shuffle")), draw(streams.get("layer", "block1.dropout1"))]
    for resumed in (streams, Streams(5)):
        draw(resumed.get("later"))
        resumed.restore(state)
        assert [draw(resumed.get("shuffle")), draw(resumed.get("layer", "block1.dropout1"))] == expected
        assert draw(resumed.get("later")) == draw(Streams(5).get("later"))


def test_global_random_state_is_not_touched():
    """Neither read nor moved."""
    np.random.seed(1)  # noqa: NPY002
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    draw(Streams(0).get("shuffle"))
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002
