"""What several stages need when they write to a compute gallery: the lease, rewriting, the incarnation of a number."""
