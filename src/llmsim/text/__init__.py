"""How numbers, lines and bars are written; dialects, board and command line share it."""
