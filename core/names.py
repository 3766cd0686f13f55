"""The product's name where it is part of something's identity."""

NAMESPACE = "turnscope"
"""Of configuration keys, resource names, labels and type tokens."""
PRIVATE = ".turnscope"
"""What belongs to this machine alone, below the project: local state, its passphrase, the emulator. Never committed."""
