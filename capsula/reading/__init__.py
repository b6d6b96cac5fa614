"""Reading: files, trees of them and repositories, as they stand on the disk; nothing is written, and no program run."""
