# SPDX-License-Identifier: Apache-2.0
"""What every process test may ask for: a cluster, a node, a folder that is gone after."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from lib.cluster import Cluster, Node  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "sanitized: runs under sanitizers in scripts/test too")


@pytest.fixture
def dev(tmp_path):
    """One node alone, serving; its folder lasts as long as the test."""
    node = Node(tmp_path / "n1", "n1")
    node.start()
    yield node
    node.end()


@pytest.fixture
def cluster(tmp_path):
    """Three nodes that have a leader and are ready."""
    with Cluster(tmp_path) as three:
        three.start()
        three.wait_ready()
        yield three
