"""The command line: one module for a command, each thin; ``console`` says how things look."""
