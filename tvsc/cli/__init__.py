"""The command line: one module per command, each with `register(app)`; no logic of its own."""
