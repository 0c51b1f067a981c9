"""Chunks of arrays that hold pictures: a codec for numcodecs and zarr, found by their entry points."""
