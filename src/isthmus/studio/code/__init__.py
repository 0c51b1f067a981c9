"""The code of a plain autoencoder, touched."""
