# SPDX-License-Identifier: Apache-2.0
"""How long no write is acknowledged after the leader's process dies or stands still: by a
client that tries node after node until one says yes."""
import time

from lib.http import NothingHappened, OutcomeUnknown
from lib.load import task_body
from lib.wait import wait_until

PAUSE = 0.001  # between two rounds of the client
PATIENCE = 30


def _acknowledged(nodes, name):
    for node in nodes:
        try:
            if node.call("POST", "/v1/tasks", task_body(name, "x"), timeout=2).status == 201:
                return True
        except (NothingHappened, OutcomeUnknown):
            pass
    return False


def _next_write_ms(nodes, name, since):
    while not _acknowledged(nodes, name):
        if time.monotonic() - since > PATIENCE:
            raise AssertionError(f"no write was acknowledged within {PATIENCE} s")
        time.sleep(PAUSE)
    return (time.monotonic() - since) * 1000


def failover_ms(cluster, times, stop):
    """In ms, `times` over; `stop`: SIGSTOP instead of SIGKILL."""
    found = []
    for turn in range(times):
        cluster.wait_ready()
        leader = cluster.leader()
        others = [node for node in cluster.nodes if node is not leader]
        assert _acknowledged([leader], f"before_{stop:d}_{turn}")
        since = time.monotonic()
        if stop:
            leader.pause()
        else:
            leader.process.kill()
        found.append(_next_write_ms(others, f"after_{stop:d}_{turn}", since))
        if stop:
            leader.resume()
        else:
            leader.kill()
            leader.start()
        wait_until("the old leader follows", lambda: not leader.leads())
    return found
