# SPDX-License-Identifier: Apache-2.0
"""A log that is forgotten behind snapshots, and a node that comes back after that."""
from lib.load import churn, task_body
from lib.wait import wait_until


def log_bytes(node):
    return sum(path.stat().st_size for path in (node.data / "raft").iterdir())


def test_a_node_that_fell_behind_the_log_gets_a_snapshot(cluster):
    leader = cluster.leader()
    late = cluster.followers()[0]
    assert leader.call("POST", "/v1/tasks", task_body("first", "kept")).status == 201
    late.kill()
    churn(leader, 110)
    wait_until("the log is cut", lambda: log_bytes(leader) < 100 * 2**20)
    late.start()
    wait_until("it has caught up", lambda: late.ready() and late.index() == leader.index())
    assert "is installed" in late.log()
    assert cluster.settled()["first"]["description"] == "kept"

    # what it stands on now survives a restart, and it takes part again
    late.kill()
    late.start()
    assert leader.call("POST", "/v1/tasks", task_body("last", "new")).status == 201
    assert set(cluster.settled()) == {"first", "last"}
