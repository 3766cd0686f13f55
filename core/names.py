"""The product's name where it is part of something's identity."""

NAMESPACE = "turnscope"
"""Of configuration keys, resource names, labels and type tokens."""
PRIVATE = ".turnscope"
"""What belongs to this machine alone, below the project: local state, its passphrase, the emulator. Never committed."""
ROOT_CERTIFICATE = "ca.crt"
"""The gateway's own root certificate, in a stack's folder there."""
