"""Virtual machines and what is made of them or runs on them."""
