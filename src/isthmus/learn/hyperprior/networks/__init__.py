"""The differentiable codec: transforms, entropy model, integer layers, quality tables."""
