"""Floor 2: what entries mean, as pure functions. No clock, no dice, no I/O."""
