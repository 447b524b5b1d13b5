"""Floor 3: sockets, clocks and tasks; the only floor that introduces consensus and registry."""
