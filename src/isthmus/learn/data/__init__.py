"""Data sets as whole arrays in memory: folders of pictures, IDX files, NumPy arrays, MNIST, and drawn glyphs."""
