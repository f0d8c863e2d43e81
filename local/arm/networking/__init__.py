"""Networks as far as machines need them."""
