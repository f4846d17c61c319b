"""The same framework over the network: a relay and four nodes as processes, which are killed while they work.

Only what an operator has is used: commands, signals, the nodes' sockets, the relay's log and its health address.
"""
