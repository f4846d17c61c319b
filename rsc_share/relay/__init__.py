"""The reference relay: a store, a sequencer that admits, notes signed after the sync, and what each node may see."""
