"""Many pictures in one file: written by several processes, read at random, in shards."""
