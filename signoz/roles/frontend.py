"""The frontend role: the web pages of releases up to 0.75, whose query service has none. Pure."""

from __future__ import annotations

from core.roles import Role
from signoz.plan.model import Container, HealthCheck
from signoz.roles.context import RoleContext

USER = "101:101"


def container(context: RoleContext) -> Container:
    """nginx with the image's own configuration, which passes /api and /ws on to `query-service`."""
    return Container(
        role=Role.FRONTEND,
        name=context.name(Role.FRONTEND),
        image=context.image_of(Role.FRONTEND),
        tmpfs=("/tmp", "/var/cache/nginx", "/var/run"),  # noqa: S108 - mount points
        health=HealthCheck.http_get(f"http://127.0.0.1:{context.release.pages[1]}/"),
        after=(Role.QUERY_SERVICE, Role.ALERTMANAGER),
        user=USER,
        read_only_root=True,
        memory_mib=128,
        cpus=0.5,
        open_files=4096,
    )
