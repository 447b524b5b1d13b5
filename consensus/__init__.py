"""Floor 2: agreement on opaque block digests, as a pure state machine; no clock, dice or I/O."""
