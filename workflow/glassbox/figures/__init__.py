"""Tables that other people read, and the figures drawn from them."""
