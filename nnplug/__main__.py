"""``python -m nnplug`` is the command ``nnplug``."""

import sys

from nnplug.cli.main import main

sys.exit(main())
