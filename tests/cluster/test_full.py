# SPDX-License-Identifier: Apache-2.0
"""A disk that fills up: writes are refused, deletes and reads go on, and so does everything
once there is room."""
import os
import subprocess

import pytest

from lib.cluster import Node
from lib.load import task_body
from lib.wait import wait_until

pytestmark = pytest.mark.sanitized
MIB = 1024 * 1024


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=56m", "tmpfs", str(folder)],
                           capture_output=True, text=True)
    if mount.returncode != 0:
        pytest.skip(f"needs a file system of its own: {mount.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill(node, name, first_refusal=507):
    """Write until it is refused; how many were acknowledged."""
    for count in range(200):
        answer = node.call("POST", "/v1/tasks", task_body(f"{name}{count}", "x" * 500000))
        if answer.status != 201:
            assert answer.status == first_refusal, answer
            return count
    raise AssertionError("it never was full")


def test_a_full_disk_refuses_writes_takes_deletes_and_recovers(small_disk):
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(16 * MIB))
    node = Node(small_disk / "n1", "n1").start()
    try:
        wait_until("it leads", node.leads)
        count = fill(node, "a")
        assert count > 10
        assert node.cluster()["node"]["disk_full"]
        assert node.call("PATCH", "/v1/tasks/a1", {"enabled": False}).status == 507
        assert node.call("GET", "/v1/health/leader").status == 200
        for n in range(5):
            assert node.call("DELETE", f"/v1/tasks/a{n}").status == 202
        assert len(node.tasks()) == count - 5

        os.unlink(ballast)
        wait_until("there is room again", lambda: node.call(
            "POST", "/v1/tasks", task_body("again", "")).status == 201)
        assert not node.cluster()["node"]["disk_full"]
        node.restart()
        wait_until("it has applied its log", node.applied_index)
        assert len(node.tasks()) == count - 4
    finally:
        node.end()


def test_a_node_with_a_write_that_finds_no_room_still_ends(small_disk):
    (small_disk / "ballast").write_bytes(bytes(16 * MIB))
    node = Node(small_disk / "n1", "n1").start()
    wait_until("it leads", node.leads)
    fill(node, "a")
    # Deletes may use what is left, the last of it included; then they wait for room.
    for n in range(70000):
        answer = node.call("DELETE", f"/v1/tasks/none{n}" + "x" * 100)
        if answer.status == 504:
            break
        assert answer.status == 404
        if n == 200 and not os.environ.get("MUSTER_TEST_FULL"):
            break
    node.end()
