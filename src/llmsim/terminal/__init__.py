"""What a terminal is: its size and abilities, colours, progress bars."""
