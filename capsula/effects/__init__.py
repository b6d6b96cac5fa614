"""The effects: the only layer that writes, spawns, moves, and reads what the process is."""
