from nnplug.testing import check


def test_recurrent():
    check("recurrent")
