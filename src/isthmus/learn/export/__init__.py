"""A trained model to a .isthmus file, the only thing that the light wing ever sees of it."""
