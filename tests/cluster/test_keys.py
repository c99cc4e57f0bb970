# SPDX-License-Identifier: Apache-2.0
"""Clients that repeat every write with its key until they are told, while leaders die."""
import http.client
import json
import random
import threading
import uuid

import pytest

from lib.cluster import Cluster
from lib.http import NothingHappened, OutcomeUnknown, request
from lib.load import task_body
from lib.wait import wait_until

AGAIN = (409, 503, 504)


def hang_up(address, method, path, body, headers):
    """Send a request and go before it is answered."""
    host, port = address.rsplit(":", 1)
    connection = http.client.HTTPConnection(host, int(port), timeout=2)
    try:
        connection.request(method, path, body,
                           {"Content-Type": "application/json", **headers})
    except OSError:
        pass
    finally:
        connection.close()


class Repeater(threading.Thread):
    """Creates a task, deletes it, and so on; each write until it has an answer, at whichever
    node. Without the key a repeat would be told that the name is taken, or gone."""

    def __init__(self, cluster, number):
        super().__init__(daemon=True)
        self.cluster = cluster
        self.number = number
        self.random = random.Random(number)
        self.over = threading.Event()
        self.made = []
        self.kept = set()
        self.replayed = 0
        self.wrong = []

    def run(self):
        while not self.over.is_set() and not self.wrong:
            name = f"k{self.number}_{len(self.made)}"
            self.made.append(name)
            self.write("POST", "/v1/tasks", task_body(name, "x"), 201)
            if self.random.random() < 0.5:
                self.write("DELETE", f"/v1/tasks/{name}", None, 202)
            else:
                self.kept.add(name)

    def write(self, method, path, body, wanted):
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        sent = json.dumps(body).encode() if body is not None else None
        while True:
            address = self.random.choice(self.cluster.addresses())
            if self.random.random() < 0.1:
                hang_up(address, method, path, sent, headers)
                continue
            try:
                answer = request(address, method, path, body, headers, timeout=3)
            except (NothingHappened, OutcomeUnknown):
                self.over.wait(0.005)
                continue
            if answer.headers.get("X-Muster-Not-Leader") or answer.status in AGAIN:
                self.over.wait(0.005)
                continue
            self.replayed += "Idempotency-Replayed" in answer.headers
            if answer.status != wanted:
                self.wrong.append(f"{method} {path}: {answer}")
            return


@pytest.fixture(name="three", params=["reject", "forward"])
def three_nodes(tmp_path, request):
    settings = {"cluster": {"follower_writes": request.param}}
    with Cluster(tmp_path, settings=settings) as nodes:
        nodes.start()
        nodes.wait_ready()
        yield nodes


def created(node):
    """name: how often, of all that the events tell."""
    counts, after = {}, 0
    while True:
        page = node.call("GET", f"/v1/events?after={after}&limit=1000&type=task.created").json
        for event in page["events"]:
            counts[event["task"]] = counts.get(event["task"], 0) + 1
        if not page["events"]:
            return counts
        after = page["events"][-1]["index"]


def test_a_write_that_is_repeated_through_dying_leaders_is_done_once(three):
    repeaters = [Repeater(three, n) for n in range(4)]

    def goes_on(more):
        count = sum(len(repeater.made) for repeater in repeaters) + more
        wait_until("writes go on", lambda: any(r.wrong for r in repeaters) or
                   sum(len(r.made) for r in repeaters) >= count)

    for repeater in repeaters:
        repeater.start()
    try:
        for _ in range(3):
            goes_on(30)
            leader = three.leader()
            leader.kill()
            three.leader([node for node in three.nodes if node is not leader])
            goes_on(30)
            leader.start()
            three.wait_ready()
        wait_until("something was done before it was repeated",
                   lambda: sum(repeater.replayed for repeater in repeaters) > 0)
    finally:
        for repeater in repeaters:
            repeater.over.set()
        for repeater in repeaters:
            repeater.join(30)
    assert not [text for repeater in repeaters for text in repeater.wrong]
    tasks = three.settled()
    assert set(tasks) == set().union(*(repeater.kept for repeater in repeaters))
    made = [name for repeater in repeaters for name in repeater.made]
    for node in three.nodes:
        assert created(node) == {name: 1 for name in made}


@pytest.mark.sanitized
def test_every_node_knows_what_became_of_a_key(cluster):
    body = task_body("web", "one")
    key = {"Idempotency-Key": "deploy-17"}
    first = cluster.leader()
    made = first.call("POST", "/v1/tasks", body, headers=key)
    assert made.status == 201
    assert first.call("POST", "/v1/cluster/transfer", {}).status == 200
    second = cluster.leader([node for node in cluster.nodes if node is not first])
    again = second.call("POST", "/v1/tasks", body, headers=key)
    assert again.status == 201 and again.headers["Idempotency-Replayed"] == "true"
    assert again.json["task"] == made.json["task"] and again.headers["ETag"] == made.headers["ETag"]
    other = second.call("POST", "/v1/tasks", task_body("db", "one"), headers=key)
    assert other.status == 422 and other.json["code"] == "key_reused"
    index = second.index()
    for node in cluster.nodes:
        wait_until("it has all", lambda node=node: node.index() >= index)
        assert node.cluster()["node"]["keys"] == 1
