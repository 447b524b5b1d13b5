"""Hypothesis strategies, one for each public type, by floor; every floor adds its own.

A strategy makes only what its type allows; a test makes what must be refused from a good value.
"""

from hypothesis import strategies as st

from keys.hashing import Digest

# --- keys ---

digests = st.binary(min_size=32, max_size=32).map(Digest)

# --- what canonical MessagePack may hold: see docs/formats.md, section 1 ---

wire_integers = st.integers(min_value=-(2**63), max_value=2**64 - 1)
wire_scalars = st.none() | st.booleans() | wire_integers | st.binary(max_size=40)
