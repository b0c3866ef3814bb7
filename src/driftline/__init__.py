"""All that a plugin imports, beside `driftline.kit.*`. The names and their homes stand in
`__init__.pyi`.

A name loads at its first use, so that `import driftline` costs little.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
