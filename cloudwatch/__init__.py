"""The CloudWatch half of a stack: plan objects (`cloudwatch.plan`) and the components that make them real."""
