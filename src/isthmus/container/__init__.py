"""Bytes on disk: the .isth picture file and the .isthmus model file. docs/format.md describes both byte by byte."""
