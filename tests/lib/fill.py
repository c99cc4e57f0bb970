# SPDX-License-Identifier: Apache-2.0
"""Very many tasks in a few seconds: some connections, each with requests in advance."""
import asyncio

CONNECTIONS = 32
AHEAD = 16


class Failed(Exception):
    """A request was not answered as it should be."""


def _request(host, number):
    body = f'{{"task":{{"name":"g_{number}","description":"{"x" * 60}",' \
           '"condition":{},"module":"./m"}}'
    return f"POST /v1/tasks HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json" \
           f"\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


async def _answer(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    length = head.lower().split(b"content-length: ", 1)[1].split(b"\r\n", 1)[0]
    body = await reader.readexactly(int(length))
    if not head.startswith(b"HTTP/1.1 201"):
        raise Failed(f"{head!r} {body!r}")


async def _filler(host, port, numbers):
    reader, writer = await asyncio.open_connection(host, port)
    try:
        while batch := [number for _, number in zip(range(AHEAD), numbers)]:
            writer.write(b"".join(_request(host, number) for number in batch))
            for _ in batch:
                await _answer(reader)
    finally:
        writer.close()


async def _fill(host, port, first, last):
    numbers = iter(range(first, last + 1))  # shared: each connection takes the next
    await asyncio.gather(*(_filler(host, port, numbers) for _ in range(CONNECTIONS)))


def fill(address, first, last):
    """Make the tasks g_first … g_last through the node that leads."""
    host, port = address.rsplit(":", 1)
    asyncio.run(_fill(host, int(port), first, last))
