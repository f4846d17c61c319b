"""Where a node keeps what must outlive its process: rows, sealed one by one, durable when `commit` returns."""
