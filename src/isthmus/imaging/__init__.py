"""Picture files to `Picture` values and back: colour, orientation, alpha, depth, metadata, and fitting to a model."""
