"""Signed, end-to-end encrypted channels between states that do not trust each other."""
