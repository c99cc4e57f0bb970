# SPDX-License-Identifier: Apache-2.0
"""A node that leads, alone, for the tests of its API."""
import pytest

from lib.cluster import Node
from lib.wait import wait_until


def settle(node):
    wait_until("it leads", node.leads)
    wait_until("it is in the member list, its last event of its own", lambda: node.call(
        "GET", "/v1/events?type=member.joined").json["events"])
    return node


@pytest.fixture
def node(dev):
    return settle(dev)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One for all tests of a file that leave nothing behind."""
    node = Node(tmp_path_factory.mktemp("shared") / "n1", "n1")
    settle(node.start())
    yield node
    node.end()
