# SPDX-License-Identifier: Apache-2.0
"""The command line and three real nodes: whichever is named first, the leader is found,
also while it changes."""
import json
import threading

from lib.cli import DONE, UNKNOWN, UNREACHABLE, done, muster
from lib.load import task_body
from lib.wait import wait_until


def create(name, addresses):
    return muster("task", "create", "-", "--timeout", "20s", address=addresses,
                  stdin=json.dumps(task_body(name, "")).encode())


def test_any_node_is_enough_to_write_and_read(cluster):
    for number, node in enumerate(cluster.nodes):
        assert create(f"t{number}", node.api).returncode == DONE
    tasks = cluster.settled()
    assert sorted(tasks) == ["t0", "t1", "t2"]
    for node in cluster.nodes:
        assert len(done("task", "list", address=node.api).splitlines()) == 4
        assert f"{cluster.leader().name} at " in done("cluster", "status",
                                                      address=node.api)


def test_the_lead_is_given_away(cluster):
    old = cluster.leader()
    to = cluster.followers()[0]
    done("cluster", "transfer", to.name, address=cluster.followers()[1].api)
    wait_until("the other leads", to.leads)
    done("cluster", "transfer", address=old.api)


def test_settings_are_changed_through_any_node(cluster):
    for number, node in enumerate(cluster.nodes):
        done("settings", f"task_events={number + 10}", address=node.api)
    index = cluster.leader().index()
    for node in cluster.nodes:
        settings = node.call("GET", f"/v1/settings?min_index={index}&wait=10s").json
        assert settings["settings"]["task_events"]["value"] == 12
    refused = cluster.followers()[0].call("PUT", "/v1/settings", {"task_events": 5})
    assert refused.status == 400
    assert refused.headers["X-Muster-Leader-Address"] == cluster.leader().api


def test_a_killed_leader_costs_no_write(cluster):
    """Every create says 0 and is there: what has no outcome is repeated with its key."""
    addresses = ",".join(cluster.addresses())
    outcomes = {}
    stop = threading.Event()

    def write():
        while not stop.is_set():
            name = f"t{len(outcomes)}"
            outcomes[name] = create(name, addresses)

    writer = threading.Thread(target=write)
    writer.start()
    wait_until("some are there", lambda: len(outcomes) >= 5)
    victim = cluster.leader()
    victim.kill()
    after = len(outcomes) + 10
    wait_until("writes go on", lambda: len(outcomes) >= after)
    stop.set()
    writer.join()
    victim.start()
    tasks = cluster.settled()
    for name, found in outcomes.items():
        assert found.returncode == DONE and name in tasks, found.stderr
    assert len(tasks) == len(outcomes)


def test_without_a_majority_it_says_why(cluster):
    leader = cluster.leader()
    for node in cluster.followers():
        node.kill()
    wait_until("it gives up the lead", lambda: not leader.leads())
    said = done("cluster", "status", address=leader.api)
    assert "none: " in said and "reachable" in said
    found = muster("task", "create", "-", "--timeout", "500ms", address=leader.api,
                   stdin=json.dumps(task_body("t", "")).encode())
    assert found.returncode in (UNREACHABLE, UNKNOWN)
    cluster.start()
    cluster.wait_ready()
