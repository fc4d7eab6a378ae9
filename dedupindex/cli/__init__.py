"""The command line: one file a verb. Parse, call `Index`, print."""
