# SPDX-License-Identifier: Apache-2.0
"""The event log is one: the same numbers and objects on every node, whatever happens."""
from contextlib import ExitStack

from lib.cli import Followed
from lib.events import Following, Stream
from lib.load import Load


def test_every_node_tells_the_same_through_a_killed_leader(cluster):
    with ExitStack() as stack:
        streams = {node.name: stack.enter_context(Following(lambda node=node: node.api))
                   for node in cluster.nodes}
        with Load(cluster, writers=3) as load:
            load.goes_on()
            killed = cluster.leader()
            killed.kill()
            load.goes_on()  # the others have a leader, and their streams go on
            killed.start()
            load.goes_on()
        cluster.settled()
        last = cluster.leader().index()
        for stream in streams.values():
            stream.reaches(last)
    for name, stream in streams.items():
        assert stream.numbers() == list(range(1, last + 1)), name
        assert stream.events == streams["n1"].events, name
        assert stream.markers == [], name
        assert (stream.connections == 1) == (name != killed.name), name


def test_a_stream_goes_on_at_another_node_when_its_own_stops(cluster):
    with Load(cluster, writers=2) as load:
        old = cluster.leader()
        with Stream(old.api, "?after=0") as stream:
            load.goes_on()
            old.stop()
            *events, bye = stream.rest()
        assert bye == {"type": "bye", "after": events[-1]["index"]}
        follower = next(n for n in cluster.nodes if n.running() and not n.leads())
        with Stream(follower.api, f"?after={bye['after']}") as stream:
            load.goes_on()
            events += stream.take(20)
        old.start()
        cluster.wait_ready()
    assert [event["index"] for event in events] == list(range(1, len(events) + 1))
    with Stream(old.api, "?after=0") as stream:  # what it tells after its restart
        assert stream.take(len(events)) == events


def test_the_command_line_follows_through_a_killed_and_a_stopped_leader(cluster):
    """Each event once, in order, whichever node has told it."""
    first = cluster.leader()  # is asked first, and so is who tells until it is killed
    addresses = ",".join([first.api, *(node.api for node in cluster.followers())])
    with Followed(addresses, "--after", 0) as followed:
        with Load(cluster, writers=2) as load:
            followed.has(20)
            first.kill()
            load.goes_on()
            second = cluster.leader()
            followed.has(len(followed.lines) + 20)
            second.stop()
            first.start()
            load.goes_on()
            second.start()
        cluster.settled()
        last = cluster.leader().index()
        followed.has(last)
    events = followed.events()
    assert [event["index"] for event in events] == list(range(1, last + 1))
    with Stream(cluster.leader().api, "?after=0") as stream:
        assert stream.take(last) == events
