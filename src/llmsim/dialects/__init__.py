"""Dialects: a folder for each framework, with its traits and its log's format
(docs/dialects.md).
"""
