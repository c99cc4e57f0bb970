# SPDX-License-Identifier: Apache-2.0
"""The records of a snapshot as raft/README.md gives them: to look at, and to damage."""
import struct

from lib.store import crc32c

HEAD, SETTING, MEMBER, TASK, EVENT, END = 1, 2, 3, 4, 5, 255


class Record:
    def __init__(self, offset, kind, body):
        self.offset = offset
        self.kind = kind
        self.body = body

    def __len__(self):
        return 5 + len(self.body) + 4

    def numbers(self, layout):
        return struct.unpack_from("<" + layout, self.body)

    def texts(self, at, behind=0):
        """The blobs from `at` on, but for as many bytes `behind` them."""
        found = []
        while at < len(self.body) - behind:
            length, = struct.unpack_from("<I", self.body, at)
            found.append(self.body[at + 4:at + 4 + length].decode())
            at += 4 + length
        assert at == len(self.body) - behind
        return found

    def sealed(self):
        head = struct.pack("<BI", self.kind, len(self.body)) + self.body
        bare = crc32c(0xFFFFFFFF, head) ^ 0xFFFFFFFF  # begins with 0, is not inverted
        return head + struct.pack("<I", bare)


class Snapshot:
    """All records of it; fails if one is not as the page says."""

    def __init__(self, data):
        self.records = []
        at = 0
        while at < len(data):
            kind, length = struct.unpack_from("<BI", data, at)
            record = Record(at, kind, data[at + 5:at + 5 + length])
            assert record.sealed() == data[at:at + len(record)], f"record at {at}"
            self.records.append(record)
            at += len(record)
        kinds = [record.kind for record in self.records]
        assert kinds == sorted(kinds) and kinds[0] == HEAD and kinds[-1] == END
        assert self.records[-1].numbers("Q") == (len(self.records) - 1,)
        head = self.records[0]
        self.format, self.clock, self.first, self.next = head.numbers("IQQQ")
        self.level = 1
        if self.format > 1:
            self.level, = head.numbers("28xI")
            assert self.level >= self.format
        assert self.next == self.first + len(self.of(EVENT))

    def of(self, kind):
        return [record for record in self.records if record.kind == kind]

    def tasks(self):
        deleting = 1 if self.format > 2 else 0
        return [record.texts(21, deleting)[0] for record in self.of(TASK)]

    def members(self):
        duty = (0, 1, 13)[self.format - 1]
        return [record.texts(20, duty)[0] for record in self.of(MEMBER)]


def task_records(data):
    """The bytes of all task records together, and their number: nothing is judged, which
    takes minutes where there are many."""
    at, first, count = 0, None, 0
    while True:
        kind, length = struct.unpack_from("<BI", data, at)
        if kind > TASK:
            return data[at if first is None else first:at], count
        if kind == TASK:
            first = at if first is None else first
            count += 1
        at += 5 + length + 4
