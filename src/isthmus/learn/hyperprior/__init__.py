"""What codecs such as `photo` are made with, in this order: dataset, networks, training, calibration, export."""
