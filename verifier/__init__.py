"""The second implementation, written from `docs/formats.md` on msgpack, ecdsa and hashlib only."""
