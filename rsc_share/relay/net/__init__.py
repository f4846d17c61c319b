"""The relay on a network: TLS, sessions over WebSocket, reads over HTTP, health. It judges nothing: `relay` does."""
