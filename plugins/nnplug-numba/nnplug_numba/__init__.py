"""The built-ins of nnplug that take most of a step's time, compiled: the same formulas and options, in one pass."""
