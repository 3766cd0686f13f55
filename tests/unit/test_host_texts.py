"""What commands say of SigNoz' machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import UserError
from core.project import Project
from host.plan.build import plan_host
from stacks.settings.model import Settings
from tests.unit.conftest import HOST, MakePlan, settings_with
from turnscope.options import What
from turnscope.plan_table import as_data, summary
from turnscope.plans import plan_stack
from turnscope.rendering import render


def settings() -> Settings:
    schedule = {"stop_at": "20:00", "start_at": "07:00"}
    return settings_with(host={**HOST, "zone_id": "Z0123456789ABCDEFGHIJ", "schedule": schedule})


def test_the_plan_lists_the_machine(tmp_path: Path) -> None:
    planned = plan_stack("example", settings(), Project(tmp_path).root)
    rows = as_data(planned, settings().agents)["resources"]
    found = {row["kind"]: summary(row) for row in rows}
    assert found["machine"] == "m7g.xlarge (arm64), Docker 28.5.2, reached by Session Manager"
    assert found["data volume"] == "200 GiB, 3000 IOPS, 125 MiB/s, 7 daily snapshots"
    assert found["VPC"] == "10.87.0.0/24"
    assert found["DNS record"] == "in zone Z0123456789ABCDEFGHIJ"
    assert {row["name"] for row in rows if row["kind"] == "alarm"} >= {"turnscope-example-host-containers"}
    assert all(summary(row) for row in rows if row["kind"] in ("security group rule", "scheduled action"))


def test_user_data_can_be_printed(make_plan: MakePlan) -> None:
    host = plan_host("example", settings())
    texts = render(What.USER_DATA, cloudwatch=make_plan(), signoz=None, host=host)
    assert list(texts) == ["host/user-data"]
    assert "nvme-Amazon_Elastic_Block_Store_volVOLUME" in texts["host/user-data"]
    assert "host/user-data" in render(What.ALL, cloudwatch=make_plan(), signoz=None, host=host)


def test_a_stack_without_a_machine_has_no_user_data(make_plan: MakePlan) -> None:
    with pytest.raises(UserError, match="so it has no user-data"):
        render(What.USER_DATA, cloudwatch=make_plan(), signoz=None)
