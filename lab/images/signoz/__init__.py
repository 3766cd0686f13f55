"""A lab image's SigNoz server: health, accounts and the API that content as code needs. Runs in the container.

Shapes, status codes and rules are those of SigNoz 0.138: github.com/SigNoz/signoz, docs/api/openapi.yml at that tag.
It stores what it is given and queries, evaluates and sends nothing.
"""
