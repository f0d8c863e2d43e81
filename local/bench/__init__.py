"""The figures that the product must reach, measured on this machine: ``make bench``.

Each figure is one module with one measuring function; most are ratios of two things measured in the same run, since
machines differ. A measurement is a number, the parts that it was made of, its bound, and whether it keeps that.
"""
