"""Performance measurements: ``make bench``.

Each figure has a module with a function that measures it. Most figures are ratios of two measurements in the same run,
because machines differ. A result has a value, its parts, a bound, and whether the value is within the bound.
"""
