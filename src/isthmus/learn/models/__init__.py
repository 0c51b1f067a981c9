"""Networks: an `Autoencoder` is given its parts and never builds them."""
