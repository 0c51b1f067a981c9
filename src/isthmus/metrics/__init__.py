"""How far two pictures differ (NumPy only)."""
