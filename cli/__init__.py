"""Floor 4: words for people."""
