"""CloudWatch: plan objects (`cloudwatch.plan`), the components that make them, the checker of Logs Insights queries."""
