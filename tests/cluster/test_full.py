# SPDX-License-Identifier: Apache-2.0
"""A disk that fills up: writes are refused, deletes and reads go on, and so does everything
once there is room."""
import os
import subprocess

import pytest

from lib.cluster import Cluster, Node
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


@pytest.fixture
def small_disks(tmp_path):
    """Three nodes, each on a disk of its own with 16 MiB that can be freed."""
    mounts = []
    for name in ("n1", "n2", "n3"):
        folder = tmp_path / name
        folder.mkdir()
        mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=72m", "tmpfs", str(folder)],
                               capture_output=True, text=True)
        if mount.returncode != 0:
            pytest.skip(f"needs file systems of its own: {mount.stderr.strip()}")
        mounts.append(folder)
    with Cluster(tmp_path) as cluster:
        cluster.start()
        cluster.wait_ready()
        yield cluster
    for folder in mounts:
        subprocess.run(["umount", str(folder)], check=True)


def occupy(node):
    """Leave nothing free on the node's disk."""
    with open(node.folder / "ballast", "wb") as ballast:
        try:
            while ballast.write(bytes(MIB)):
                ballast.flush()
        except OSError:
            pass


def free(node):
    os.unlink(node.folder / "ballast")


def full_names(cluster):
    return {member["name"] for member in cluster.leader().cluster()["members"]
            if member["disk_full"]}


def write_until(cluster, condition):
    """Write through whoever leads until the condition holds; the names acknowledged."""
    kept = []
    for count in range(400):
        if condition():
            return kept
        name = f"t{len(kept)}_{count}"
        answer = cluster.leader().call("POST", "/v1/tasks", task_body(name, "x" * 500000))
        if answer.status == 201:
            kept.append(name)
            assert cluster.leader().call("DELETE", f"/v1/tasks/{name}").status in (202, 400)
    raise AssertionError("it never came to that")


def test_a_leader_without_room_gives_the_lead_to_one_that_has_some(small_disks):
    leader = small_disks.leader()
    occupy(leader)
    write_until(small_disks, lambda: not leader.leads())
    new = small_disks.leader()
    assert new is not leader
    assert new.call("POST", "/v1/tasks", task_body("after", "")).status == 201
    assert leader.name in full_names(small_disks)
    free(leader)
    wait_until("its room is seen", lambda: not full_names(small_disks))
    assert "after" in small_disks.settled()


def test_a_full_follower_goes_on_and_a_full_majority_refuses(small_disks):
    leader = small_disks.leader()
    first, second = small_disks.followers()
    occupy(first)
    write_until(small_disks, lambda: first.name in full_names(small_disks))
    assert leader.call("POST", "/v1/tasks", task_body("one", "")).status == 201
    occupy(second)
    write_until(small_disks, lambda: second.name in full_names(small_disks))
    answer = wait_until("writes are refused", lambda: next(
        (a for a in [leader.call("POST", "/v1/tasks", task_body("two", ""))]
         if a.status == 507), None))
    assert "majority" in answer.json["error"]["message"]
    assert leader.call("DELETE", "/v1/tasks/one").status == 202
    assert leader.call("GET", "/v1/tasks").status == 200
    free(first)
    free(second)
    wait_until("there is room again", lambda: leader.call(
        "POST", "/v1/tasks", task_body("two", "")).status == 201)
    assert "two" in small_disks.settled()
