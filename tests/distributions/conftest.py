"""These folders are no tests of ours: tests/integration/test_distributions.py installs them and runs theirs."""

collect_ignore_glob = ["*"]
