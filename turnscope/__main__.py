"""`python -m turnscope`."""

from turnscope.app import main

main()
