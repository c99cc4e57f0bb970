# SPDX-License-Identifier: Apache-2.0
"""The command line among nodes that answer what a test wants."""
import json
import signal

import pytest

from lib.cli import (FAILED, NOT_FOUND, UNKNOWN, UNREACHABLE, USAGE, Followed, done,
                     muster, refused)
from lib.fake import CUT, SILENCE, Fake, answer, lines, not_leader
from lib.wait import wait_until

pytestmark = pytest.mark.sanitized

OK = answer(200, {})
BUSY = answer(503, {"error": {"message": "no leader is known"}}, {"Retry-After": "0"})
ENABLE = ["task", "enable", "web"]
SOON = ["--timeout", "400ms"]


def test_a_write_follows_the_leader_it_is_told():
    with Fake([OK]) as leader, Fake([not_leader(leader.address)]) as follower:
        said = done(*ENABLE, address=follower.address)
    assert said == "task 'web' is enabled\n"
    expected = ("PATCH", "/v1/tasks/web", b'{"enabled":true}')
    assert leader.asked == [expected] and follower.asked == [expected]


def test_a_leader_that_is_dead_is_not_the_end():
    """The follower still names the old leader; a moment later, the new one."""
    with Fake([OK]) as new, Fake([not_leader("127.0.0.1:1"), not_leader("127.0.0.1:1"),
                                  not_leader(new.address)]) as follower:
        done(*ENABLE, address=follower.address)
    assert len(new.asked) == 1 and len(follower.asked) == 3


def test_nodes_that_name_each_other_are_asked_ever_less_often():
    a = Fake([OK])
    with a, Fake([not_leader(a.address)]) as b:
        a.script = [not_leader(b.address)]
        said = refused(UNREACHABLE, *ENABLE, "--timeout", "1s", address=a.address)
    assert "nothing has changed" in said and "says that the leader is" in said
    assert 4 <= len(a.asked) + len(b.asked) <= 14


@pytest.mark.parametrize("address", ["nonsense", "h:0", "a/b:1", "http://h:1", "h:1@x:2",
                                     "x" * 300 + ":1", "h:99999"])
def test_a_leader_address_that_is_none_is_not_followed(address):
    with Fake([not_leader(address)]) as follower:
        said = refused(UNREACHABLE, *ENABLE, *SOON, address=follower.address)
    assert "names an unusable leader" in said


def test_without_a_leader_it_waits_for_one():
    with Fake([not_leader(), BUSY, not_leader(), OK]) as node:
        done(*ENABLE, address=node.address)
    assert len(node.asked) == 4


def test_without_a_leader_in_time_it_says_so():
    with Fake([not_leader()]) as one, Fake([BUSY]) as other:
        said = refused(UNREACHABLE, *ENABLE, *SOON,
                       address=f"{one.address},{other.address}")
    assert f"{one.address}: knows no leader" in said
    assert f"{other.address}: no leader is known" in said


def test_retry_after_is_kept_to():
    with Fake([answer(503, {}, {"Retry-After": "30"}), OK]) as node:
        said = refused(UNREACHABLE, *ENABLE, *SOON, address=node.address)
    assert len(node.asked) == 1 and "answered 503" in said


UNKNOWNS = pytest.mark.parametrize("said", [
    CUT, SILENCE, answer(504, {"error": {"message": "may still happen"}}), answer(502),
    answer(503, b"<html>upstream reset</html>"), answer(200, b"{", declared=100),
    answer(200, b"", headers={"X-" + "a" * 100: "b" * 70000}), b"HTTP/1.1 200 OK\r\nX-",
], ids=["cut", "silence", "504", "502", "proxy's 503", "cut answer", "endless headers",
        "cut head"])


@UNKNOWNS
def test_a_write_without_a_key_of_unknown_outcome_is_sent_once_and_is_7(said):
    with Fake([said]) as node, Fake([OK]) as other:
        text = refused(UNKNOWN, "cluster", "drain", "n2", "--timeout", "700ms",
                       address=f"{node.address},{other.address}")
    assert len(node.asked) == 1 and other.asked == []
    assert "the outcome is not known" in text and "`muster cluster status`" in text
    assert "idempotency-key" not in node.headers[0]


@UNKNOWNS
def test_a_write_with_a_key_is_repeated_with_it_elsewhere(said):
    with Fake([said]) as node, Fake([OK]) as other:
        done(*ENABLE, address=f"{node.address},{other.address}")
    assert node.asked[0] == other.asked[0]
    keys = {headers["idempotency-key"] for headers in node.headers + other.headers}
    assert len(keys) == 1 and len(keys.pop()) == 36


def test_every_command_has_a_key_of_its_own():
    with Fake([OK]) as node:
        done(*ENABLE, address=node.address)
        done(*ENABLE, address=node.address)
        done("task", "delete", "web", "--auto-approve", address=node.address)
    assert len({headers["idempotency-key"] for headers in node.headers}) == 3


def test_a_write_that_nobody_tells_the_outcome_of_is_7():
    unknown = answer(504, {"error": {"message": "may still happen"}})
    with Fake([unknown, BUSY]) as node, Fake([BUSY]) as other:
        text = refused(UNKNOWN, *ENABLE, *SOON, address=f"{node.address},{other.address}")
    assert len(node.asked) > 1 and f"{node.address}: may still happen" in text
    assert "the outcome is not known" in text and "`muster task show web`" in text


@pytest.mark.parametrize("said,code", [
    (400, FAILED), (404, NOT_FOUND), (412, FAILED), (403, UNKNOWN), (409, UNKNOWN),
    (413, UNKNOWN), (422, UNKNOWN), (501, UNKNOWN), (507, UNKNOWN)])
def test_only_what_was_decided_says_what_became_of_an_earlier_try(said, code):
    """The other refusals are of this try alone: the one before may have been done."""
    with Fake([CUT]) as node, Fake([answer(said, {"error": {"message": "because"}})]) as other:
        text = refused(code, *ENABLE, address=f"{node.address},{other.address}")
    assert len(node.asked) == len(other.asked) == 1
    assert ("because" in text) == (code != UNKNOWN)


def test_a_write_that_is_under_way_is_waited_for():
    busy = answer(409, {"error": {"message": "is under way"}}, {"Retry-After": "0"})
    with Fake([CUT, busy, busy, OK]) as node:
        done(*ENABLE, address=node.address)
    assert len(node.asked) == 4


@pytest.mark.parametrize("said", [
    {"error": {"message": "n2 is too old"}, "code": "feature_level"},
    {"error": {"message": "Idempotency-Key is not supported by this version of muster"}}])
def test_a_cluster_without_keys_is_written_to_without_one(said):
    with Fake([answer(501, said), OK]) as node:
        done(*ENABLE, address=node.address)
    assert ["idempotency-key" in headers for headers in node.headers] == [True, False]
    with Fake([answer(501, said), CUT]) as node, Fake([OK]) as other:
        refused(UNKNOWN, *ENABLE, address=f"{node.address},{other.address}")
    assert len(node.asked) == 2 and other.asked == []


@pytest.mark.parametrize("said", [
    CUT, answer(504), answer(502), answer(503), answer(429), answer(200, b"{", declared=9),
], ids=["cut", "504", "502", "503", "429", "cut answer"])
def test_a_read_goes_on_to_the_next_node(said):
    body = {"tasks": []}
    with Fake([said]) as node, Fake([answer(200, body)]) as other:
        text = done("task", "list", "-o", "json",
                    address=f"{node.address},{other.address}")
    assert json.loads(text) == body and len(other.asked) == 1


def test_a_read_leaves_a_frozen_node_behind():
    with Fake([SILENCE]) as frozen, Fake([answer(200, {"tasks": []})]) as other:
        done("task", "list", address=f"{frozen.address},{other.address}")
    assert len(frozen.asked) == 1 and len(other.asked) == 1


@pytest.mark.parametrize("status,code", [
    (400, FAILED), (401, FAILED), (404, NOT_FOUND), (405, FAILED), (409, FAILED),
    (413, FAILED), (500, FAILED), (501, FAILED), (507, FAILED), (301, FAILED),
])
def test_a_refusal_is_final_and_in_the_servers_words(status, code):
    with Fake([answer(status, {"error": {"message": "because\n\x1b[31m"}})]) as node:
        said = refused(code, *ENABLE, address=node.address)
    assert len(node.asked) == 1 and said.endswith(": because\\x0a\\x1b[31m\n")


def test_a_redirection_is_not_followed():
    with Fake([OK]) as other, Fake([answer(
            301, b"", {"Location": f"http://{other.address}/"})]) as node:
        assert "answered 301" in refused(FAILED, *ENABLE, address=node.address)
    assert other.asked == []


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"7", b"{", b'{"a":"\xff"}'])
def test_what_is_no_node_is_recognized(body):
    with Fake([answer(200, body)]) as node:
        said = refused(FAILED, "status", address=node.address)
    assert "is it a node of muster?" in said and node.address in said


@pytest.mark.parametrize("body", [
    {"tasks": None}, {"tasks": {}}, {"tasks": [None, 1, [], {}]}, {"members": [1]},
    {"tasks": [{"name": 1, "enabled": "x", "condition": []}]}, {"events": [{}, 5]},
    {"task": 7}, {"node": [], "leader": "x", "members": {"a": 1}}, {"task_summary": 1},
    {"tasks": [{"name": "a", "condition": {"services": {"names": [1, None]}}}]},
])
def test_answers_of_another_shape_crash_nothing(body):
    with Fake([answer(200, body)]) as node:
        for command in (["task", "list"], ["task", "show", "a"], ["cluster", "status"],
                        ["status"], ["events"]):
            done(*command, address=node.address)


def test_why_nobody_leads_is_shown():
    body = {"node": {"name": "n1", "role": "candidate", "term": 7}, "leader": None,
            "reason": "no majority is reachable",
            "members": [{"name": "n1", "role": "voter", "reachable": True, "match": 9},
                        {"name": "n2", "reachable": False, "reason": "refused"}]}
    with Fake([answer(200, body)]) as node:
        said = done("cluster", "status", address=node.address)
    assert "none: no majority is reachable" in said and "n1, candidate, term 7" in said
    assert said.splitlines()[-1].endswith("refused")


def test_the_cluster_commands_send_what_the_api_takes():
    with Fake([answer(200, {"leader": {"id": "n2"}})]) as node:
        here = {"address": node.address}
        assert done("cluster", "add", "n 4", **here) == "member 'n 4' is a voter\n"
        assert done("cluster", "remove", "n/4?", "--auto-approve",
                    **here) == "member 'n/4?' is removed\n"
        assert done("cluster", "transfer", "n2", **here) == "member 'n2' leads\n"
        done("cluster", "transfer", **here)
    assert node.asked == [
        ("POST", "/v1/cluster/members", b'{"name":"n 4"}'),
        ("DELETE", "/v1/cluster/members/n%2F4%3F", b""),
        ("POST", "/v1/cluster/transfer", b'{"to":"n2"}'),
        ("POST", "/v1/cluster/transfer", b"{}"),
    ]


def test_a_warning_of_the_server_is_passed_on():
    with Fake([answer(201, {}, {"X-Muster-Warning": "no such driver"})]) as node:
        found = muster("task", "create", "-", address=node.address, stdin=b'{"name":"a"}')
    assert found.returncode == 0 and found.stderr == "warning: no such driver\n"
    assert node.asked[0][2] == b'{"task":{"name":"a"}}'


# --- events --follow --------------------------------------------------------------------

def event(index, **more):
    return {"index": index, "time": "2026-01-01T00:00:00.000Z", "type": "task.created",
            "task": f"t{index}", "data": {}, **more}


def test_a_stream_goes_on_after_its_last_event_whatever_ended_it():
    """Good-bye, too slow, lost in the middle of a line, refused for a moment."""
    with Fake([lines({}, event(5), {"type": "bye", "after": 5}),
               lines({}, event(6), {"type": "cut", "after": 7}),
               lines({}, event(8), b'{"index":9,"ti', end="lost"), BUSY, CUT,
               lines({}, event(8), event(9), end="held")]) as node:
        with Followed(node.address, "--after", 4) as followed:
            followed.has(4)
    assert [one["index"] for one in followed.events()] == [5, 6, 8, 9]
    paths = [path.partition("?")[2] for _, path, _ in node.asked]
    assert paths == [f"after={after}" for after in (4, 5, 7, 8, 8, 8)]


def test_from_now_on_is_the_moment_of_the_command():
    """The first stream breaks off before it has told anything."""
    with Fake([answer(200, {"events": [], "last": 41}), lines({}, end="lost"),
               lines({}, event(42), end="held")]) as node:
        with Followed(node.address) as followed:
            followed.has(1)
    assert [path for _, path, _ in node.asked] == [
        "/v1/events?limit=1", "/v1/events/stream?after=41", "/v1/events/stream?after=41"]


def test_the_next_node_goes_on():
    with Fake([lines({}, event(1), end="lost")]) as old, Fake(
            [lines({}, event(2), end="held")]) as new:
        with Followed(f"{old.address},{new.address}", "--after", 0) as followed:
            followed.has(2)
    assert len(old.asked) == 1 and new.asked[0][1] == "/v1/events/stream?after=1"


def test_a_gap_is_shown_and_passed():
    gap = {"type": "gap", "after": 3, "first": 100}
    script = [lines({}, gap, event(100), end="lost"), lines({}, end="held")]
    with Fake(script) as node, Followed(node.address, "--after", 3) as followed:
        followed.has(2)
        wait_until("it asks again", lambda: len(node.asked) == 2)
    assert followed.events() == [gap, event(100)]
    assert node.asked[1][1].endswith("?after=100")
    with Fake([lines(gap, end="lost"), lines({}, end="held")]) as node:
        with Followed(node.address, "--after", 3, output="table") as followed:
            followed.has(2)
            wait_until("it asks again", lambda: len(node.asked) == 2)
    assert followed.lines[1].split() == ["-", "-", "gap", "-", '{"after":3,"first":100}']
    assert node.asked[1][1].endswith("?after=99")


def test_a_followed_event_drives_no_terminal():
    evil = event(1, task="\x1b[31m", data={"a": "\u202e"})
    with Fake([lines({}, evil, event(2), end="held")]) as node:
        with Followed(node.address, "--after", 0, output="table") as followed:
            followed.has(3)
    head, first, second = followed.lines
    assert "\\x1b[31m" in first and "\u202e" not in first
    assert head.index("TYPE") == second.index("task.created")
    assert head.index("DATA") == second.index("{}")


@pytest.mark.parametrize("said,code,text", [
    ([answer(400, {"error": {"message": "no event type 'x'"}})], FAILED, "no event type"),
    ([answer(404)], NOT_FOUND, "404"),
    ([lines(b"<html>\n")], FAILED, "is it a node of muster?"),
    ([lines(b"7\n")], FAILED, "is it a node of muster?"),
    ([lines(b"x" * 5_000_000)], FAILED, "4194304 bytes"),
    ([CUT], UNREACHABLE, "closed without an answer"),
    ([answer(200, b"")], UNREACHABLE, "its answer ended"),
    ([lines({}), CUT], UNREACHABLE, "closed without an answer"),
], ids=["400", "404", "html", "7", "endless line", "cut", "nothing", "lost for good"])
def test_what_cannot_be_followed_ends_with_its_reason(said, code, text):
    with Fake(said) as node, Followed(node.address, "--after", 1, *SOON) as followed:
        assert followed.ends() == code, followed.said
    assert text in followed.said and followed.said.count("\n") == 1
    assert followed.lines == []


def test_a_heartbeat_shows_that_nobody_reads_any_more():
    with Fake([lines({})]) as node:
        followed = Followed(node.address, "--after", 0)
        followed.process.stdout.close()
        assert followed.ends() == -signal.SIGPIPE


def test_follow_and_limit_do_not_go_together():
    assert "--limit" in refused(USAGE, "events", "--follow", "--limit", 1)


# --- snapshot save ----------------------------------------------------------------------

def test_a_cut_snapshot_leaves_no_file(tmp_path):
    with Fake([answer(200, b"x" * 1000, declared=5000)]) as node:
        said = refused(UNREACHABLE, "snapshot", "save", tmp_path / "s", *SOON,
                       address=node.address)
    assert "before the answer was whole" in said and list(tmp_path.iterdir()) == []


def test_a_snapshot_that_is_none_leaves_no_file(tmp_path):
    (tmp_path / "kept").write_text("old")
    with Fake([answer(200, b"<html>")]) as node:
        for name in ("s", "kept"):
            said = refused(FAILED, "snapshot", "save", tmp_path / name, "--force",
                           address=node.address)
            assert "no whole snapshot" in said
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert (tmp_path / "kept").read_text() == "old"


def test_a_snapshot_that_stalls_is_given_up(tmp_path):
    with Fake([SILENCE]) as node:
        refused(UNREACHABLE, "snapshot", "save", tmp_path / "s", "--timeout", "1s",
                address=node.address)
    assert list(tmp_path.iterdir()) == []
