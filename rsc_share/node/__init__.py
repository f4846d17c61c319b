"""What embedders use: a node, its channels, its outbox and its inbox. Everything it shows has been verified here."""
