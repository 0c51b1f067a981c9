"""The model files that ship with the package, and where else models are looked for."""
