"""What README's performance table is made of: each figure is measured here, and nowhere else.

`python -m benchmarks` measures all of them and writes `results.json` beside this file. Machines and
their other work differ, so every figure comes with each of its runs, what was running besides, and,
where processes are involved, the CPU time they took, which depends less on who else was busy.
"""
