"""The operator's page: what a relay says about itself, for a person. Read only."""
