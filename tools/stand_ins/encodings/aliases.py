"""Other names of UTF-8, the one encoding whose module is in the library. Python's own list has the
names of three hundred encodings.
"""

aliases = {"u8": "utf_8", "utf": "utf_8", "utf8": "utf_8"}
