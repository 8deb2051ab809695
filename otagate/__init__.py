"""otagate: prove a build on a mirror of production, flip to it without losing a connection, keep proof of both."""

__version__ = "0.1.0"
