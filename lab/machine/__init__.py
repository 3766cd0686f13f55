"""In the lab an EC2 instance is a machine: a container with systemd, cloud-init, sshd and its own Docker engine."""

from lab.machine.images import load_images

__all__ = ["load_images"]
