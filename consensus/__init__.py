"""Floor 2: agreement on opaque block digests, as a pure state machine. No clock, no dice, no I/O."""
