from nnplug.testing import check


def test_embedding():
    check("embedding")
