"""Compiled loops: arrays in, arrays out; no nouns, no settings, no checks. Each has a slow twin in ``tests/naive``."""
