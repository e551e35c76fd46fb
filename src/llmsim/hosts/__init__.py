"""The edge: what writes the text and sleeps the delays. The only place with I/O and a clock."""
