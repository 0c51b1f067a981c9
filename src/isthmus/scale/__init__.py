"""Work that outgrows one machine: sources on any store, and shards made on a Ray cluster. Never loads PyTorch."""
