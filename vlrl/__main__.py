"""`python -m vlrl …` is the command `vlrl …`; launchers such as torchrun start modules."""

from vlrl.cli import main

main()
