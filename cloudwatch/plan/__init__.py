"""What will exist in CloudWatch for a stack: pure Python, no engine and no network.

`plan_cloudwatch(settings)` is the one way from settings to plan objects; components turn them into resources,
and `turnscope plan`, the local stack and the tests read the same objects.
"""
