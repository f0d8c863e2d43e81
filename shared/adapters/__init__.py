"""What implements the ports: ``azure`` for real, ``memory`` for tests, simulation and dry runs."""
