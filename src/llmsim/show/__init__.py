"""The pace of a show, and what stands on the screen."""
