# SPDX-License-Identifier: Apache-2.0
"""Readers of /v1/events/stream."""
import http.client
import json
import socket
import threading

from lib.http import Answer
from lib.wait import PATIENCE, wait_until

LINES = "application/x-ndjson"


class Stream:
    """One connection. `with Stream(node.api, "?after=0") as stream:`; what is read is
    objects, or blocks of text/event-stream as {field: value}. Heartbeats are passed over."""

    def __init__(self, address, query="", accept=LINES, headers=None, window=None):
        host, port = address.rsplit(":", 1)
        self.connection = http.client.HTTPConnection(host, int(port), timeout=PATIENCE)
        if window:
            self.connection.sock = socket.socket()
            self.connection.sock.settimeout(PATIENCE)
            self.connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
            self.connection.sock.connect((host, int(port)))
        if not window:
            self.connection.connect()
        self.socket = self.connection.sock  # the answer takes it from the connection
        self.connection.request("GET", f"/v1/events/stream{query}",
                                headers={"Accept": accept, **(headers or {})})
        self.response = self.connection.getresponse()
        self.status = self.response.status
        self.headers = dict(self.response.getheaders())
        self.accept = accept

    def __enter__(self):
        assert self.status == 200, Answer(self.status, self.headers, self.response.read())
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.response.close()
        self.connection.close()

    def next(self):
        """The next one; None at the end of the answer. OSError, HTTPException."""
        while True:
            found = self._line() if self.accept == LINES else self._block()
            if found != {}:
                return found

    def _line(self):
        line = self.response.readline()
        return json.loads(line) if line else None

    def _block(self):
        found = {}
        while (line := self.response.readline()) not in (b"\n", b""):
            field, _, value = line.decode().rstrip("\n").partition(": ")
            if field:
                found[field] = value
        return found if line else None

    def take(self, count):
        return [self.next() for _ in range(count)]

    def rest(self):
        """All that still comes, to the end of the answer."""
        found = []
        while (one := self.next()) is not None:
            found.append(one)
        return found


class Following(threading.Thread):
    """Follows from `after` on, over as many connections as it takes, to whatever address()
    says, until the block ends: `with Following(lambda: node.api) as following:`"""

    def __init__(self, address, after=0):
        super().__init__(daemon=True)
        self.address = address
        self.after = after
        self.events = []
        self.markers = []
        self.connections = 0
        self.over = threading.Event()
        self.stream = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        stream = self.stream
        if stream is not None:
            try:
                stream.socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.join(PATIENCE)

    def run(self):
        while not self.over.is_set():
            try:
                self.stream = Stream(self.address(), f"?after={self.after}")
                self.connections += self.stream.status == 200
                while self.stream.status == 200 and (one := self.stream.next()):
                    self.learn(one)
            except (OSError, http.client.HTTPException, ValueError, AttributeError):
                pass  # a line that was cut off is none
            if self.stream is not None:
                self.stream.close()
            self.over.wait(0.02)

    def learn(self, one):
        if "index" in one:
            self.events.append(one)
            self.after = one["index"]
        else:
            self.markers.append(one)

    def reaches(self, index):
        wait_until(f"event {index} has come", lambda: self.after >= index)

    def numbers(self):
        return [event["index"] for event in self.events]
