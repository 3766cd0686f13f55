"""SigNoz' HTTP API, as far as content is concerned; release 0.138. No Pulumi."""
