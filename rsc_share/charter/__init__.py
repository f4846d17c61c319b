"""The framework's charter, its quorum-signed amendments, and the directory: the fold over the directory log.

Everything here takes bytes, values and `now`; nothing reads a clock, a file or a socket.
"""
