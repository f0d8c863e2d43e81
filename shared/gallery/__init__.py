"""Code that several stages use to write to a compute gallery: lease, rewriting, and incarnations of version numbers."""
