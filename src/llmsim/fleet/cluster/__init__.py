"""A cluster's days: a pool of nodes, the jobs of a lab, and what its scheduler makes of them."""
