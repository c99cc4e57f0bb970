# SPDX-License-Identifier: Apache-2.0
"""What sees things happen: event streams of all nodes, a pipe that programs write into, a
process that asks /v1/health all the time."""
import multiprocessing
import os
import socket
import threading
import time

from lib.events import Stream
from lib.fill import Failed

PATIENCE = 60
PAUSE = 0.005  # between two rounds of questions


class Ear(threading.Thread):
    """One node's events from now on: (type, key) → when it was heard; the key is the run's
    number, or the task's name where there is none."""

    def __init__(self, node):
        super().__init__(daemon=True)
        after = node.call("GET", "/v1/events?limit=1").json["last"]
        self.stream = Stream(node.api, f"?after={after}")
        self.heard = {}
        self.counts = {}
        self.changed = threading.Condition()
        self.start()

    def run(self):
        try:
            while (event := self.stream.next()) is not None:
                if "type" in event:
                    self.note(event, time.monotonic())
        except (OSError, ValueError, AttributeError):
            pass  # closed, or its node is gone

    def note(self, event, now):
        key = event["data"].get("run", event.get("task"))
        with self.changed:
            self.heard[event["type"], key] = now
            self.counts[event["type"]] = self.counts.get(event["type"], 0) + 1
            self.changed.notify_all()

    def when(self, what, key, patience=PATIENCE):
        with self.changed:
            if not self.changed.wait_for(lambda: (what, key) in self.heard, patience):
                raise Failed(f"{what} of {key} was not heard in {patience} s")
            return self.heard[what, key]

    def reach(self, what, count, patience):
        """Wait until there were so many, or no longer; how many there were."""
        with self.changed:
            self.changed.wait_for(lambda: self.counts.get(what, 0) >= count, patience)
            return self.counts.get(what, 0)

    def close(self):
        try:
            self.stream.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.join(PATIENCE)
        self.stream.close()


class Ears:
    """Of all nodes: `with Ears(cluster) as ears:`"""

    def __init__(self, cluster):
        self.ears = [Ear(node) for node in cluster.nodes]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for ear in self.ears:
            ear.close()

    def last(self, what, key):
        """When the last of the nodes had it."""
        return max(ear.when(what, key) for ear in self.ears)

    def reach(self, what, count, patience=PATIENCE):
        end = time.monotonic() + patience
        return min(ear.reach(what, count, max(0, end - time.monotonic())) for ear in self.ears)

    def count(self, what, count, patience=PATIENCE):
        found = self.reach(what, count, patience)
        if found < count:
            raise Failed(f"{found} of {count} {what} in {patience} s")


class Pipe(threading.Thread):
    """Lines that programs write into a named pipe, and when they came."""

    def __init__(self, path):
        super().__init__(daemon=True)
        os.mkfifo(path)
        self.fd = os.open(path, os.O_RDWR)  # never at its end
        self.heard = {}
        self.changed = threading.Condition()
        self.start()

    def run(self):
        while True:
            lines, now = os.read(self.fd, 65536).decode().split(), time.monotonic()
            with self.changed:
                for line in lines:
                    self.heard[line] = now
                self.changed.notify_all()
            if "over" in lines:
                return

    def when(self, line):
        with self.changed:
            if not self.changed.wait_for(lambda: line in self.heard, PATIENCE):
                raise Failed(f"no program said {line} in {PATIENCE} s")
            return self.heard[line]

    def close(self):
        os.write(self.fd, b"over\n")
        self.join(PATIENCE)
        os.close(self.fd)


HEALTH = b"GET /v1/health HTTP/1.1\r\nHost: bench\r\n\r\n"


def _open(address):
    host, port = address.rsplit(":", 1)
    connection = socket.create_connection((host, int(port)), PATIENCE)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _ask(addresses, over, result):
    connections = [_open(address) for address in addresses]
    took, late = [], []
    while not over.is_set():
        for connection in connections:
            before = time.monotonic()
            connection.sendall(HEALTH)
            if not connection.recv(65536).startswith(b"HTTP/1.1 200"):
                result.put(None)
                return
            took.append(time.monotonic() - before)
        before = time.monotonic()
        time.sleep(PAUSE)
        late.append(time.monotonic() - before - PAUSE)
    result.put((took, late))


class Health:
    """GET /v1/health at each node, one after the other, all the time: `with Health(cluster)
    as health:`, and then how long the answers took, in ms. `late_ms` is how much too late a
    process of this machine that sleeps was woken at the worst in that time."""

    def __init__(self, cluster):
        self.over = multiprocessing.Event()
        self.result = multiprocessing.Queue()
        self.process = multiprocessing.Process(
            target=_ask, args=(cluster.addresses(), self.over, self.result), daemon=True)
        self.worst_ms = self.p99_ms = self.median_ms = self.late_ms = None

    def __enter__(self):
        self.process.start()
        return self

    def __exit__(self, kind, *_):
        self.over.set()
        found = self.result.get(timeout=PATIENCE)
        self.process.join()
        if found is None and kind is None:
            raise Failed("/v1/health was not 200")
        if found is not None:
            took = sorted(found[0])
            self.worst_ms, self.late_ms = took[-1] * 1000, max(found[1]) * 1000
            self.p99_ms = took[len(took) * 99 // 100] * 1000
            self.median_ms = took[len(took) // 2] * 1000

    def __str__(self):
        return (f"/v1/health {self.median_ms:.1f} ms, 99 % {self.p99_ms:.1f}, worst "
                f"{self.worst_ms:.1f} (a sleeping process at the worst {self.late_ms:.1f} late)")
