from nnplug.testing import check


def test_running_standard():
    check("running_standard")
