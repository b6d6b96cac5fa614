"""Values and pure functions: nothing here reads or writes anything."""
