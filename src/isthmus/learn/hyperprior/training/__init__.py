"""The training run: its state, one step, the loop around it."""
