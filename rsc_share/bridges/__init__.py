"""Adapters at the edge: files of other standards in, our messages out, and a report of what could not come along."""
