# SPDX-License-Identifier: Apache-2.0
"""What several files here ask for."""
import pytest

from lib.cluster import QUICK, Cluster


@pytest.fixture
def three(tmp_path):
    """Three nodes that soon notice who is gone; they have a leader and are ready."""
    with Cluster(tmp_path, 3, QUICK) as nodes:
        nodes.start()
        nodes.wait_ready()
        yield nodes
