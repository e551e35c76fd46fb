"""What asyncio wants of socket: the defaults of functions that nobody calls in a page."""

AF_UNSPEC, AI_PASSIVE = 0, 1
