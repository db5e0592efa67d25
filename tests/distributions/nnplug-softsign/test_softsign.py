from nnplug.testing import check


def test_softsign():
    check("softsign")
