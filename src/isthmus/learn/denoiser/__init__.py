"""What the denoiser for photographs is made with: networks, degradations, training, export."""
