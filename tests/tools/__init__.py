"""Scripts that are run by hand: what fits the numbers that ship with the package, and the pictures it is fitted on."""
