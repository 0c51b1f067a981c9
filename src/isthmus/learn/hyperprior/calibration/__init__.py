"""A trained codec on pictures: activation ranges, 8-bit weights, symbol statistics."""
