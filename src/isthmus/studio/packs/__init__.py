"""A pack as a gallery."""
