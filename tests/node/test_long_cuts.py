"""What waited for a peer through a long cut leaves in batches that the peer takes."""

import pytest

from consensus.messages import Phase, Status
from consensus.wire import print_message
from ledger.limits import MESSAGE_BYTES_MAX
from node.http_peer import FRAME_BYTES, parse_batch
from node.peers import (
    BATCH_BYTES_MAX,
    MESSAGES_PATH,
    VOTES_QUEUE_BYTES_MAX,
    Outbox,
    Parcel,
    encode_batch,
)

STATUS = print_message(Status(1, 0, Phase.WAIT, 0))


@pytest.mark.parametrize("message", [STATUS, b"m" * 300, b"m" * MESSAGE_BYTES_MAX])
def test_a_full_queue_of_messages_of_any_length_leaves_in_batches_that_are_read(message):
    """A batch that is refused would be held against a node that did nothing but wait."""
    outbox = Outbox(VOTES_QUEUE_BYTES_MAX)
    for _ in range(VOTES_QUEUE_BYTES_MAX // len(message) // 2):
        outbox.put(Parcel(MESSAGES_PATH, message))
    count, taken = len(outbox), 0
    while len(outbox):
        raw = encode_batch(outbox.take_batch(BATCH_BYTES_MAX))
        assert len(raw) <= BATCH_BYTES_MAX + MESSAGE_BYTES_MAX + FRAME_BYTES
        batch = parse_batch(raw)
        assert set(batch) == {message}
        taken += len(batch)
    assert taken == count
