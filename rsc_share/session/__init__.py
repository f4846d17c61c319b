"""What a node and a relay say to each other: frames with one spelling, and the port a node calls. No I/O here."""
