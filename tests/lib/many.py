# SPDX-License-Identifier: Apache-2.0
"""Very many runs at once: requests over some connections, and tasks whose programs live
until their runs are cancelled."""
import asyncio
import json

from lib.wait import wait_until

CONNECTIONS = 32
AHEAD = 8  # requests of one that are sent before the first is answered

# Each says once that it began, and is then as small as a process can be.
LIVES = """#!/bin/sh
echo "$MUSTER_FENCE $MUSTER_TASK" >> '{folder}/begun'
exec sleep 100000
"""


def _bytes(host, request):
    method, path, body = request
    data = b"" if body is None else json.dumps(body).encode()
    return (f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(data)}\r\n\r\n").encode() + data


async def _answer(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    length = head.lower().split(b"content-length: ", 1)[1].split(b"\r\n", 1)[0]
    return int(head.split(b" ", 2)[1]), await reader.readexactly(int(length))


async def _client(host, port, queue, answers):
    reader, writer = await asyncio.open_connection(host, port)
    try:
        while batch := [one for _, one in zip(range(AHEAD), queue)]:
            writer.write(b"".join(_bytes(host, request) for _, request in batch))
            for number, _ in batch:
                answers[number] = await _answer(reader)
    finally:
        writer.close()


async def _all(address, requests):
    host, port = address.rsplit(":", 1)
    answers = [None] * len(requests)
    queue = iter(enumerate(requests))  # shared: each connection takes the next
    await asyncio.gather(*(_client(host, int(port), queue, answers)
                           for _ in range(min(CONNECTIONS, len(requests)))))
    return answers


def ask_all(address, requests, wanted=None):
    """`requests`: (method, path, body or None) each. Their answers, in that order: (status,
    bytes). With `wanted` each must have that status."""
    answers = asyncio.run(_all(address, requests)) if requests else []
    for request, answer in zip(requests, answers):
        assert wanted in (None, answer[0]), (request, answer)
    return answers


def runs(node, query="state=live"):
    """All of that kind, as this node lists them."""
    found, token = [], ""
    while True:
        answer = node.call("GET", f"/v1/runs?{query}&page_size=1000{token}")
        assert answer.status == 200, answer
        found += answer.json["runs"]
        if not answer.json.get("next_token"):
            return found
        token = f"&next_token={answer.json['next_token']}"


class Crowd:
    """Tasks `crowd_1` … whose programs live."""

    def __init__(self, folder):
        self.folder = folder
        self.module = folder / "module"
        self.module.mkdir(parents=True)
        program = self.module / "apply"
        program.write_text(LIVES.format(folder=folder))
        program.chmod(0o755)
        self.count = 0

    def create(self, node, count):
        """So many more; nothing of them runs yet."""
        names = [f"crowd_{n}" for n in range(self.count + 1, self.count + count + 1)]
        ask_all(node.api, [("POST", "/v1/tasks", {"task": {
            "name": name, "module": str(self.module),
            "condition": {"schedule": {"cron": "0 0 0 1 1 * 2099"}}}})
            for name in names], 201)
        self.count += count
        return names

    def run(self, node, names):
        """Their numbers, in that order."""
        answers = ask_all(node.api, [("POST", f"/v1/tasks/{name}/run", None)
                                     for name in names])
        for answer in answers:
            assert answer[0] in (200, 201, 202), answer
        return [json.loads(answer[1])["run"]["id"] for answer in answers]

    def live(self, node, deadline):
        """Wait until all of them run; the runs."""
        wait_until(f"{self.count} run",
                   lambda: len(runs(node, "state=running")) == self.count, deadline)
        return runs(node, "state=running")

    def begun(self):
        """(number, task) of each program that has begun, in that order."""
        path = self.folder / "begun"
        lines = path.read_text().splitlines() if path.exists() else []
        return [(int(line.split()[0]), line.split()[1]) for line in lines]

    def cancel(self, node, numbers):
        ask_all(node.api, [("POST", f"/v1/runs/{number}/cancel", None)
                           for number in numbers], 202)
