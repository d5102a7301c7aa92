"""Generated domains: one file each. Importing this package registers all of them.

Read domain, then grid_count; contract says what every problem of theirs holds, draws and cells what many share.
"""

import importlib
import pkgutil

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
