"""The forms in which a node's memory is written down: values of `codec`, read back only from the node's own store."""
