"""The loop that trains: steps, checkpoints, progress, and when to stop."""
