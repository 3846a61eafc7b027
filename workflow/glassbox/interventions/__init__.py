"""What happens to the decoder when units are taken away."""
