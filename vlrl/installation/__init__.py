"""What is installed: versions, extras, the configs that ship with the package, and the CPU's instruction set.

Each file stands alone; shipped is the one that commands use."""
