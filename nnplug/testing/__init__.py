"""The conformance kit: one line in a plugin's test suite holds a component against its contract.

    from nnplug.testing import check

    def test_softsign():
        check("softsign")

What it looks at, and what each check is called, is listed in the documentation under "Testing".
"""

from nnplug.testing.examination import check, examine
from nnplug.testing.report import ComponentReport, Report, Result

__all__ = ["ComponentReport", "Report", "Result", "check", "examine"]
