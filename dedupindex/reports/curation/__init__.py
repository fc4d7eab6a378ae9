"""Splits and leaks of data sets: text, tables, SARIF, a sheet of pictures."""
