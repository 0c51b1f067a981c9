"""Pictures to .isth bytes and back: the order of the steps, quality and size targets."""
