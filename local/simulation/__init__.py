"""The app's own stages over its memory adapters, on a virtual clock, under whatever misfortune a seed brings.

``engine`` owns time and order; ``ports`` stands between a function and the world and is where misfortune strikes;
``host`` plays the Functions host and Event Grid; ``house`` is a small cloud in memory.
"""
