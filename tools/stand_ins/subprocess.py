"""What asyncio wants of subprocess: the defaults of functions that nobody calls in a page."""

PIPE, STDOUT, DEVNULL = -1, -2, -3
