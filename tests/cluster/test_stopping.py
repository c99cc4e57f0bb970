# SPDX-License-Identifier: Apache-2.0
"""SIGTERM: what a node still does, for whom, and that nobody can hold it up."""
import http.client
import json
import signal
import socket

import pytest

from lib.cluster import Cluster
from lib.events import Stream
from lib.load import task_body
from lib.steady import Traffic
from lib.wait import PATIENCE, wait_until

LONG = "60s"  # longer than a test lasts: what ends sooner did not wait for it
READS = ["/v1/tasks", "/v1/status", "/v1/tasks?consistent"]


@pytest.fixture
def waiting(tmp_path):
    """Three nodes that are asked for health, so that they wait at their end."""
    with Cluster(tmp_path, settings={"listen": {"drain": LONG}}) as three:
        three.start()
        three.wait_ready()
        yield three
        for node in three.nodes:
            if node.running():
                tell(node)
                node.process.send_signal(signal.SIGTERM)
                ended(node)


def health(node, path="/v1/health/ready"):
    answer = node.call("GET", path)
    return "ok" if answer.status == 200 else answer.json["code"]


def tell(node, number=signal.SIGTERM):
    """It stops from now on."""
    node.process.send_signal(number)
    wait_until("it is not ready any more", lambda: health(node) == "stopping")


def ended(node):
    """It ends by itself, and well."""
    code = node.process.wait(PATIENCE)
    assert code == 0, node.log()[-3000:]
    node.forget()


def keep(node):
    host, port = node.api.split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=PATIENCE)
    connection.connect()
    return connection


@pytest.mark.sanitized
def test_a_leader_that_stops_serves_on_and_the_second_signal_ends_the_wait(waiting):
    old, *others = [waiting.leader(), *waiting.followers()]
    with Traffic([old.api], READS, each=1) as traffic, Stream(old.api) as stream:
        traffic.goes_on()
        tell(old)
        new = waiting.leader(others)
        assert [health(node, "/v1/health/writes") for node in (old, new)] == ["ok", "ok"]
        assert health(old, "/v1/health/leader") == "not_leader"
        assert health(old, "/v1/health") == "ok"
        traffic.goes_on()
        assert old.call("GET", "/v1/tasks").headers["Connection"] == "close"
        assert new.call("GET", "/v1/tasks").headers["Connection"] == "keep-alive"
        traffic.over()
        traffic.check()
        old.process.send_signal(signal.SIGTERM)
        assert stream.rest()[-1]["type"] == "bye"
        ended(old)
    assert "second signal: not waiting for balancers" in old.log()


def test_a_follower_that_stops_serves_on(waiting):
    follower = waiting.followers()[0]
    with Traffic([follower.api], READS, each=1, writes=False) as traffic:
        traffic.goes_on()
        tell(follower, signal.SIGINT)
        assert health(follower, "/v1/health/writes") == "not_leader"
        refused = follower.call("POST", "/v1/tasks", task_body("a", ""))
        assert refused.headers["X-Muster-Not-Leader"] == "true"
        traffic.goes_on()
        traffic.over()
        traffic.check()
    follower.process.send_signal(signal.SIGINT)
    ended(follower)


def test_who_is_not_asked_for_health_does_not_wait(waiting):
    """Started anew, it has not been asked; the others have."""
    follower = waiting.followers()[0]
    tell(follower)
    follower.process.send_signal(signal.SIGTERM)
    ended(follower)
    follower.start()
    wait_until("it is a member again", lambda: follower.cluster()["leader"])
    follower.stop()  # which sends one signal


@pytest.mark.parametrize("writes", ["reject", "forward"])
def test_writes_under_way_are_answered_before_the_end(tmp_path, writes):
    """Handed on by a follower, or held by a leader: their outcome is a frozen node's. Each
    was sent when SIGTERM came."""
    settings = {"cluster": {"follower_writes": writes, "election_timeout": "3s",
                            "heartbeat": "500ms"}}
    with Cluster(tmp_path, settings=settings) as three:
        three.start()
        three.wait_ready()
        leader, *followers = [three.leader(), *three.followers()]
        stops, frozen = (leader, followers) if writes == "reject" else \
            (followers[0], [leader])
        connections = [keep(stops) for _ in range(4)]
        for connection in connections:
            connection.request("GET", "/v1/version")
            connection.getresponse().read()
        for node in frozen:
            node.pause()
        for n, connection in enumerate(connections):
            body = json.dumps(task_body(f"t{n}", "x"))
            connection.request("POST", "/v1/tasks", body,
                               {"Content-Type": "application/json"})
        stops.call("GET", "/v1/version")  # after them: they have been read
        stops.process.send_signal(signal.SIGTERM)
        wait_until("it stops", lambda: "signal 15: stopping" in stops.log())
        for node in frozen:
            node.resume()
        for connection in connections:
            assert connection.getresponse().status == 201
        ended(stops)


def test_half_a_request_is_finished_and_one_that_stays_half_is_cut(dev):
    wait_until("it leads", dev.leads)
    body = json.dumps(task_body("half", "x")).encode()
    head = b"POST /v1/tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json" \
        b"\r\nContent-Length: %d\r\n\r\n" % len(body)
    host, port = dev.api.split(":")
    with socket.create_connection((host, int(port)), PATIENCE) as half, \
            socket.create_connection((host, int(port)), PATIENCE) as stuck, \
            Stream(dev.api, "?after=0", window=4096) as never_read:
        half.sendall(head + body[:10])
        stuck.sendall(head + body[:10])
        dev.call("GET", "/v1/version")  # they were accepted before it, and read
        dev.process.send_signal(signal.SIGTERM)
        wait_until("it stops", lambda: "signal 15: stopping" in dev.log())
        half.sendall(body[10:])
        said = b"".join(iter(lambda: half.recv(4096), b""))
        assert said.startswith(b"HTTP/1.1 201") and b"Connection: close" in said
        assert stuck.recv(4096) == b""  # the end came to it, and to the node
        assert never_read.status == 200
        ended(dev)
