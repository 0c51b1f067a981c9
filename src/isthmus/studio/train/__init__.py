"""Runs of isthmus train, started and watched."""
