"""Lambda: a CloudWatch alarm or AWS Budgets message from SNS becomes a Slack message.

Deployed as it is, so only the standard library and boto3, which Lambda's Python runtime has. The webhook's address
is a secret: it is read from the SSM parameter named by WEBHOOK_PARAMETER once per container, and never logged.
"""

import json
import os
import urllib.error
import urllib.request
from functools import cache

COLOURS = {"ALARM": "#d13212", "OK": "#1d8102", "INSUFFICIENT_DATA": "#879596"}
TIMEOUT_SECONDS = 10


def handler(event, context):
    """Posts one message per record. An answer of Slack other than 200 raises, so that SNS tries again."""
    for record in event["Records"]:
        post(slack_message(record["Sns"].get("Subject") or "", record["Sns"]["Message"]))


def slack_message(subject: str, message: str) -> dict:
    """Slack's payload: for an alarm its state, reason and runbook, for anything else the text as it came."""
    try:
        alarm = json.loads(message)
        state, name = alarm["NewStateValue"], alarm["AlarmName"]
    except (ValueError, KeyError, TypeError):
        return {"text": subject or message[:150], "attachments": [{"text": message[:3000]}]}
    lines = [alarm.get("AlarmDescription") or "", alarm.get("NewStateReason") or ""]
    return {
        "text": f"{state}: {name}",
        "attachments": [
            {
                "color": COLOURS.get(state, COLOURS["INSUFFICIENT_DATA"]),
                "text": "\n".join(line for line in lines if line),
                "footer": f"{alarm.get('Region', '')} {alarm.get('StateChangeTime', '')}".strip(),
            }
        ],
    }


@cache
def webhook_url() -> str:
    import boto3  # here, so that the module's pure half needs nothing

    parameter = boto3.client("ssm").get_parameter(Name=os.environ["WEBHOOK_PARAMETER"], WithDecryption=True)
    return parameter["Parameter"]["Value"]


def post(payload: dict) -> None:
    request = urllib.request.Request(  # noqa: S310 - settings admit only https
        webhook_url(), json.dumps(payload).encode(), {"Content-Type": "application/json"}
    )
    try:
        urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS).close()  # noqa: S310
    except urllib.error.HTTPError as error:
        # The address is part of some errors' text: only the status goes into the log.
        raise RuntimeError(f"Slack answered {error.code}") from None
    except urllib.error.URLError as error:
        raise RuntimeError(f"Slack could not be reached: {type(error.reason).__name__}") from None
