"""A load balancer in plain Python, written from the design and not from the C: its opponent."""
