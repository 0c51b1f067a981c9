"""Pictures compressed and compared by eye."""
