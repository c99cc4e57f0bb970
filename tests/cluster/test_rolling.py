# SPDX-License-Identifier: Apache-2.0
"""All nodes restarted one after the other under load, through HAProxy: no request of a
client that never tries again fails."""
import os

from lib.balancer import CONFIG, Balancer
from lib.cluster import Cluster
from lib.load import task_body
from lib.steady import Traffic

ROUNDS = 20 if os.environ.get("MUSTER_TEST_FULL") else 2
READS = ["/v1/tasks/fixed", "/v1/status", "/v1/tasks/fixed?consistent", "/v1/cluster"]


def roll(folder, config, **cluster):
    settings = {"listen": {"drain": "1s"}, "cluster": cluster}
    with Cluster(folder, settings=settings, fixed=True) as three:
        three.start()
        three.wait_ready()
        with Balancer(folder, three.nodes, config) as balancer:
            balancer.wait_whole()
            fixed = three.leader().call("POST", "/v1/tasks", task_body("fixed", "x"))
            assert fixed.status == 201
            three.settled()
            with Traffic([balancer.address], READS) as traffic:
                traffic.goes_on()
                for number in range(ROUNDS):
                    for node in three.nodes:
                        node.restart()
                        balancer.wait_whole()
                        traffic.goes_on()
                        traffic.check()
                    print(f"round {number + 1} of {ROUNDS}: {traffic.done} requests")
            traffic.check()
        assert "fixed" in three.settled()


def test_a_rolling_restart_fails_no_request(tmp_path):
    """As it is shipped: writes go to the leader."""
    roll(tmp_path, CONFIG)


def without_leader_backend(folder):
    """Nothing but the nodes that are ready, for reads and writes alike."""
    text = CONFIG.read_text()
    assert text.count("    use_backend leader if writes\n") == 1
    begin, end = text.index("\nbackend leader\n"), text.index("\nbackend ready\n")
    kept = [line for line in (text[:begin] + text[end:]).splitlines()
            if "retry-on" not in line and "writes" not in line]
    path = folder / "plain.cfg"
    path.write_text("\n".join(kept) + "\n")
    return path


def test_nor_where_every_node_is_sent_writes(tmp_path):
    """A balancer that knows of no leader, and nodes that hand writes on."""
    roll(tmp_path, without_leader_backend(tmp_path), follower_writes="forward")
