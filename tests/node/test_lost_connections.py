"""A connection to a peer whose packets vanish is given up soon, whatever it waits for.

Found in namespaces (`tests/chaos`): after a cut, what had waited for an answer rested until its own
limit, 10 s for blocks and questions and 20 s for entries, though the network was well again.
"""

import asyncio
import errno
import socket
from typing import Any

import pytest

from node.config import Address
from node.http_transport import (
    PROBE_AFTER_S,
    SILENCE_MS,
    TIMEOUT_MS,
    HttpTransport,
    _open_socket,
    notice_silence,
)
from node.peers import Lane, PeerNode
from node.tls import PeerTls
from tests.chaos.namespaces import address, socket_inside, why_not
from tests.chaos.weather import alone
from tests.chaos.wires import wired
from tests.node.test_http_peer import FRIEND, SERVER, SERVER_ID

REASON = why_not()
PORT = 7_000
PATIENCE_S = 120


@pytest.mark.asyncio
async def test_every_connection_to_a_peer_notices_silence_before_a_question_is_late():
    peer = PeerNode(SERVER_ID, SERVER.public, Address("127.0.0.1", PORT))
    async with HttpTransport(PeerTls(FRIEND)) as transport:
        for lane in Lane:
            connector: Any = transport._session(peer, lane).connector
            assert connector._socket_factory is _open_socket
    with _open_socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("", 0))) as opened:
        assert opened.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            chosen = [socket.TCP_USER_TIMEOUT, socket.TCP_KEEPIDLE]
            found = [opened.getsockopt(socket.IPPROTO_TCP, one) for one in chosen]
            assert found == [SILENCE_MS, PROBE_AFTER_S]
    assert TIMEOUT_MS[Lane.FETCH] > SILENCE_MS


@pytest.mark.slow
@pytest.mark.asyncio
@pytest.mark.skipif(REASON is not None, reason=f"no networks here: {REASON}")
async def test_the_kernel_gives_up_what_is_sent_and_what_is_awaited_over_a_cut_link():
    with wired(2) as wires, socket_inside(wires.names[1]) as ear:
        ear.bind(("0.0.0.0", PORT))
        ear.listen()
        silent, talking = (connected(wires.names[0]) for _ in range(2))
        wires.become(alone(0, 2))
        talking.send(b"is anybody there?")
        waiting = [asyncio.to_thread(given_up_by, one) for one in (silent, talking)]
        assert await asyncio.gather(*waiting) == [errno.ETIMEDOUT, errno.ETIMEDOUT]


def connected(name):
    """A connection from a namespace that the kernel of the other end has taken."""
    opened = socket_inside(name)
    notice_silence(opened)
    opened.settimeout(PATIENCE_S)
    opened.connect((address(1), PORT))
    return opened


def given_up_by(opened):
    """The kernel's reason why nothing comes any more; None where only our patience ended."""
    with opened, pytest.raises(TimeoutError) as caught:
        opened.recv(1)
    return caught.value.errno
