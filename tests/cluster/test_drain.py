# SPDX-License-Identifier: Apache-2.0
"""A member that drains does not keep the lead."""
from lib.cli import muster
from lib.wait import wait_until


def drains(node):
    return {member["name"]: member["draining"]
            for member in node.call("GET", "/v1/cluster").json["members"]}


def test_a_draining_leader_gives_the_lead_away_and_does_not_get_it_back(cluster):
    before = cluster.leader()
    names = [node.name for node in cluster.nodes]
    asked = ",".join(cluster.addresses())
    done = muster("cluster", "drain", before.name, "--address", asked)
    assert done.returncode == 0, done.stderr
    after = wait_until("another one leads", lambda: next(
        (node for node in cluster.nodes if node is not before and node.leads()), None))
    assert drains(after) == {name: name == before.name for name in names}
    wait_until("the status tells it", lambda: "reachable, drains" in muster(
        "cluster", "status", "--address", after.api).stdout)
    refused = muster("cluster", "transfer", before.name, "--address", asked)
    assert refused.returncode == 1 and "undrain it first" in refused.stderr
    assert muster("cluster", "undrain", before.name, "--address", asked).returncode == 0
    assert not any(drains(cluster.leader()).values())
    assert muster("cluster", "drain", "nobody", "--address", asked).returncode == 5
