# SPDX-License-Identifier: Apache-2.0
"""A node that says what a test wants: answers for the command line to judge."""
import json
import socket
import threading

CUT = "cut"          # close without an answer
SILENCE = "silence"  # take the request, never answer


def answer(status, body=None, headers=None, declared=None):
    """The bytes of one answer; `declared` is a Content-Length that is not true."""
    data = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {declared or len(data)}",
             "Connection: close"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + data


def lines(*said, end="ends"):
    """The bytes of a stream of objects, a line each; text is sent as it is. It ends, is
    "lost", or is "held" open."""
    data = b"".join(one if isinstance(one, bytes) else json.dumps(one).encode() + b"\n"
                    for one in said)
    sent = answer(200, data, declared=None if end == "ends" else len(data) + 1000)
    return (SILENCE, sent) if end == "held" else sent


def not_leader(address=None):
    headers = {"X-Muster-Not-Leader": "true"}
    if address:
        headers["X-Muster-Leader-Address"] = address
    return answer(400, {"error": {"message": "redirect requests to leader"}}, headers)


class Fake:
    """Listens at once. `script` is a list of answers, the last one for ever, or a function
    of (method, path, body) that gives one. `asked` is what came, `headers` with which
    headers (name in lower case: value)."""

    def __init__(self, script):
        self.script = script
        self.asked = []
        self.headers = []
        self.held = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()
        for connection in self.held:
            connection.close()

    def _serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self._answer(connection)

    def _answer(self, connection):
        file = connection.makefile("rb")
        request = file.readline().decode().split()
        headers = {}
        for line in iter(file.readline, b"\r\n"):
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        asked = (request[0], request[1], file.read(int(headers.get("content-length", 0))))
        file.close()
        self.headers.append(headers)
        self.asked.append(asked)
        if callable(self.script):
            said = self.script(*asked)
        else:
            said = self.script[min(len(self.asked), len(self.script)) - 1]
        if said == SILENCE or isinstance(said, tuple):
            connection.sendall(b"" if said == SILENCE else said[1])
            self.held.append(connection)
            return
        if said != CUT:
            connection.sendall(said)
        connection.close()
