from nnplug.testing import check


def test_residual():
    check("residual")
