"""Floor 0: hashes, signatures, sealing. Imports only the standard library and `cryptography`."""
