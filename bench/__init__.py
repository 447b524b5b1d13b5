"""Measurements: each file prints one JSON line for every figure."""
