# SPDX-License-Identifier: Apache-2.0
"""Nodes that hold a hundred thousand tasks."""
from lib.fill import fill
from lib.snapshot import task_records
from lib.wait import wait_until

MANY = 100_000


def content(node, index):
    """All that the node knows of all tasks, revisions included, and how it lists them."""
    wait_until(f"{node.name} is ready", node.ready)
    wait_until(f"{node.name} has index {index}", lambda: node.index() >= index)
    records, count = task_records(node.call("GET", "/v1/snapshot").body)
    assert count == MANY
    listed = node.call("GET", "/v1/tasks", headers={"X-Request-Id": "the-same"})
    assert listed.status == 200
    return records, listed.body


def test_a_restart_brings_100_000_tasks_back_with_their_revisions(cluster):
    leader, follower = cluster.leader(), cluster.followers()[0]
    fill(leader.api, 1, MANY)
    index = leader.applied_index()
    before = content(leader, index)
    some = {name: leader.call("GET", f"/v1/tasks/{name}").headers["ETag"]
            for name in ("g_1", f"g_{MANY // 2}", f"g_{MANY}")}

    follower.kill()
    follower.start()
    assert content(follower, index) == before
    for node in cluster.nodes:
        node.kill()
    cluster.start()
    for node in cluster.nodes:
        assert content(node, index) == before
        for name, etag in some.items():
            assert node.call("GET", f"/v1/tasks/{name}").headers["ETag"] == etag
