"""What traceback imports of codeop: nothing here is compiled from a text."""
