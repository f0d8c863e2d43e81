"""Point the model of a scale set at each image version that a ring publishes."""
