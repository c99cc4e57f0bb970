# SPDX-License-Identifier: Apache-2.0
"""All nodes restarted one after the other under load, through HAProxy as it is shipped: no
request of a client that never tries again fails."""
import os

from lib.balancer import Balancer
from lib.cluster import Cluster
from lib.load import task_body
from lib.steady import Traffic

ROUNDS = 20 if os.environ.get("MUSTER_TEST_FULL") else 3
READS = ["/v1/tasks/fixed", "/v1/status", "/v1/tasks/fixed?consistent", "/v1/cluster"]


def test_a_rolling_restart_fails_no_request(tmp_path):
    settings = {"listen": {"drain": "1s"}}
    with Cluster(tmp_path, settings=settings, fixed=True) as three:
        three.start()
        three.wait_ready()
        with Balancer(tmp_path, three.nodes) as balancer:
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
