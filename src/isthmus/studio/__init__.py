"""The local web page: train, touch the code, compress, look through packs, in a browser."""
