"""Open a pull request that raises the image version in a Bicep parameter file."""
