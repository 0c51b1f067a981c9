"""Inputs of strangers, made at random for as long as one likes: `python -m tests.fuzz --minutes 10 [--seed N]`.

inputs.py makes the n-th input of a seed; targets.py reads it and says what was wrong; running.py does so in processes
that may use so much time and memory and no more. corpus/ has inputs that were wrong once.
"""
