# SPDX-License-Identifier: Apache-2.0
"""What a node answers when it cannot know everything: never less than it knew."""
from lib.load import task_body
from lib.wait import wait_until


def test_a_node_alone_after_a_restart_still_has_what_was_committed(cluster):
    leader = cluster.leader()
    for number in range(6):
        assert leader.call("POST", "/v1/tasks", task_body(f"t{number}", "x")).status == 201
    last = leader.index()
    wait_until("all have it", lambda: {node.index() for node in cluster.nodes} == {last})
    for node in cluster.nodes:
        node.kill()
    alone = cluster.nodes[0].start()

    # no majority, so no leader; the log says itself how far it was committed
    assert alone.call("GET", "/v1/health/ready").status == 503
    answer = alone.call("GET", "/v1/tasks")
    assert answer.headers["X-Muster-Known-Leader"] == "false"
    assert {f"t{number}" for number in range(4)} <= set(alone.tasks())

    cluster.start()
    assert set(cluster.settled()) == {f"t{number}" for number in range(6)}
