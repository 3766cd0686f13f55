"""Secrets, from the reference in the settings to the value in a file. No value is ever in a plan.

`reference`: where a secret is in the configuration; `generated`: secrets that nobody chooses; `placeholders`: how a
rendered text names a secret before it is deployed; `values`: from references to values, in the running program
(`program`) and on the command line.
"""
