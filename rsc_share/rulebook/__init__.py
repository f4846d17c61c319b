"""The only place where admission is decided: the same rows for relay, node and auditor."""
