"""Symbols to bytes and back, exactly: integer probability tables and range coding."""
