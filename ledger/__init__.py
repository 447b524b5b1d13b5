"""Floor 1: bytes, entries, blocks, proofs and disk. Imports only `keys`."""
