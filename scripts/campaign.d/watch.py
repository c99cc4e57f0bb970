# SPDX-License-Identifier: Apache-2.0
"""Readers of the event log, one a node, that never stop: what any node has shown under a
number stays so for ever, on every node, and no number is left out."""
import json
import threading

from lib.http import NothingHappened, OutcomeUnknown

PAGE = 1000


class Watch:
    def __init__(self, nodes):
        self.seen = {}  # number: the event as text
        self.lock = threading.Lock()
        self.wrong = []
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self._follow, args=[node], daemon=True)
                        for node in nodes]
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join(10)

    def _follow(self, node):
        after = 0
        while not self.over.wait(0.2):
            try:
                after = self._page(node, after)
            except (NothingHappened, OutcomeUnknown):
                pass

    def _page(self, node, after):
        """One page; the number of its last event. Judges it."""
        answer = node.call("GET", f"/v1/events?after={after}&limit={PAGE}", timeout=2)
        if answer.status != 200:
            return after
        last = after
        for event in answer.json["events"]:
            number = event["index"]
            text = json.dumps(event, sort_keys=True)
            if number != last + 1 and not (last == after and number == answer.json["first"]):
                self.wrong.append(f"{node.name} shows event {number} after {last}")
            with self.lock:
                known = self.seen.setdefault(number, text)
            if known != text:
                self.wrong.append(f"event {number} of {node.name} was another before:\n"
                                  f"  {known}\n  {text}")
            last = number
        return last

    def all_events(self, node):
        """(number, text) of all that the node keeps, on a cluster that is at rest."""
        found, after = [], 0
        while True:
            page = node.call("GET", f"/v1/events?after={after}&limit={PAGE}").json["events"]
            if not page:
                return found
            found += [(event["index"], json.dumps(event, sort_keys=True)) for event in page]
            after = page[-1]["index"]
