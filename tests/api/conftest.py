# SPDX-License-Identifier: Apache-2.0
"""A node that leads, alone, for the tests of its API."""
import pytest

from lib.wait import wait_until


@pytest.fixture
def node(dev):
    wait_until("it leads", dev.leads)
    wait_until("it is in the member list, its last event of its own", lambda: dev.call(
        "GET", "/v1/events?type=member.joined").json["events"])
    return dev
