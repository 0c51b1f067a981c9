"""Photographs and own pictures: a learned transform, an entropy model with hyper-latents, tiles."""
