"""A node that lacks the newest blocks refuses what builds on them: that is not final."""

import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from cli.client import Client
from cli.packages import Package, Way, submit_all
from tests.registry.town import Town, by

COMMITTED, REFUSED = "committed", "refused"


class StubNode:
    """Answers as a node at a height would; every look at its status brings it a block further."""

    def __init__(self, height, needed):
        self.height, self.needed, self.asked, self.digest = height, needed, 0, ""
        node = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                node.height += 1
                self.reply({"height": node.height})

            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                node.asked += 1
                self.reply({"results": [node.result()]})

            def reply(self, document):
                raw = json.dumps(document).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_words):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server.server_port}"

    def result(self):
        if self.height >= self.needed:
            return {"entry": self.digest, "status": COMMITTED, "height": self.height, "index": 0}
        refusal = {"code": "registry.import_not_open", "detail": "no window is open"}
        return {"entry": self.digest, "status": REFUSED, **refusal}


@pytest.fixture
def asked():
    """Submit one entry to a node after another one told of a block; return results and nodes."""
    nodes = []
    town = Town()
    entry = town.contact(town.adult("lan"), by("subject", "lan"))

    def ask(*heights_and_needs):
        with Client(bytes(32)) as client:
            found = []
            for height, needed in heights_and_needs:
                node = StubNode(height, needed)
                node.digest = entry.entry_digest.hex()
                nodes.append(node)
                way = Way(addresses=[node.address], seconds_max=5.0)
                found += client.run(submit_all(client, [Package(entry, ())], way))
            return [result.status for result in found], [node.asked for node in nodes]

    yield ask
    for node in nodes:
        node.server.shutdown()
        node.server.server_close()


def test_a_refusal_by_a_node_that_is_behind_is_asked_for_again(asked):
    assert asked((9, 9), (6, 9)) == ([COMMITTED, COMMITTED], [1, 2])


def test_a_refusal_by_a_node_that_has_every_block_is_final(asked):
    assert asked((9, 9), (9, 99)) == ([COMMITTED, REFUSED], [1, 2]), (
        "asked once more, then believed"
    )
    statuses, times = asked((9, 99))
    assert (statuses, times[-1]) == ([REFUSED], 1), "nobody has told of a block"
