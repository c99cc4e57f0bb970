# SPDX-License-Identifier: Apache-2.0
"""Clients that never try again: each request that does not do what it should is a fault."""
import http.client
import itertools
import json
import threading
import time

from lib.load import task_body
from lib.wait import PATIENCE, wait_until


class Steady(threading.Thread):
    """One request after the other to one of `addresses` in turn; `kept` connections are
    used again, as far as the server has it. What failed is told in `failed`."""

    def __init__(self, addresses, kept):
        super().__init__(daemon=True)
        self.addresses = itertools.cycle(addresses)
        self.kept = kept
        self.connections = {}
        self.over = threading.Event()
        self.done = 0
        self.failed = []

    def ask(self, method, path, body, wanted, headers=None):
        """Its X-Muster-Index, or None."""
        address = next(self.addresses)
        connection = self.connections.pop(address, None)
        reused = connection is not None and connection.sock is not None
        if connection is None:
            host, port = address.rsplit(":", 1)
            connection = http.client.HTTPConnection(host, int(port), timeout=PATIENCE)
        sent = dict(headers or {})
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
            body = json.dumps(body).encode()
        said, index = None, None
        at = time.strftime("%H:%M:%S") + f".{time.time_ns() // 1000000 % 1000:03}"
        try:
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            said = answer.status, answer.read()[:300]
            index = answer.headers.get("X-Muster-Index")
        except (OSError, http.client.HTTPException) as error:
            said = f"{type(error).__name__}: {error}"
        if said[0] == wanted:
            self.done += 1
        else:
            self.failed.append(f"{at} {method} {path} at {address}, "
                               f"{'kept' if reused else 'new'} connection: {said}")
        if self.kept and not isinstance(said, str):
            self.connections[address] = connection
        else:
            connection.close()
        return index

    def run(self):
        count = 0
        while not self.over.is_set() and len(self.failed) < 20:
            count += 1
            self.turn(count)
        for connection in self.connections.values():
            connection.close()


class Writes(Steady):
    """Makes a task, puts another in its place, changes it twice, sees that, deletes it."""

    def __init__(self, addresses, kept, name):
        super().__init__(addresses, kept)
        self.name = name

    def turn(self, count):
        name = f"{self.name}_{count}"
        path = f"/v1/tasks/{name}"
        merge = {"Content-Type": "application/merge-patch+json"}
        self.ask("POST", "/v1/tasks", task_body(name, "one"), 201)
        self.ask("PUT", path, task_body(name, "two"), 200)
        self.ask("PATCH", path, {"enabled": False}, 200)
        index = self.ask("PATCH", path, {"description": "three"}, 200, merge)
        self.ask("GET", f"{path}?min_index={index or 0}", None, 200)
        self.ask("DELETE", path, None, 202)


class Reads(Steady):
    """`paths` in turn."""

    def __init__(self, addresses, kept, paths):
        super().__init__(addresses, kept)
        self.paths = itertools.cycle(paths)

    def turn(self, count):
        self.ask("GET", next(self.paths), None, 200)


class Traffic:
    """`with Traffic(addresses, reads=[...]) as traffic:`: writers and readers, each on
    kept connections and on new ones, until the end of the block."""

    def __init__(self, addresses, reads, each=2, writes=True):
        self.clients = []
        for kept in (True, False):
            for n in range(each):
                if writes:
                    self.clients.append(Writes(addresses, kept, f"{'nk'[kept]}{n}"))
                self.clients.append(Reads(addresses, kept, reads))

    def __enter__(self):
        for client in self.clients:
            client.start()
        return self

    def __exit__(self, kind, value, trace):
        self.over()

    def over(self):
        for client in self.clients:
            client.over.set()
        for client in self.clients:
            client.join(PATIENCE)

    @property
    def done(self):
        return sum(client.done for client in self.clients)

    def failed(self):
        return [text for client in self.clients for text in client.failed]

    def goes_on(self, more=20):
        """Every client is answered so often more, from now on."""
        goals = [(client, client.done + more) for client in self.clients]
        wait_until(f"{more} more answers to each client", lambda: self.failed() or all(
            client.done >= goal for client, goal in goals))

    def check(self):
        failed = sorted(self.failed())
        assert not failed, f"{len(failed)} of {self.done + len(failed)} requests failed:\n" \
            + "\n".join(failed[:20])
