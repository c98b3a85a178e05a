"""A terminal of JupyterLab finds `course`: a login shell would set PATH anew."""

import os

if os.name != "nt":
    shell = os.environ.get("SHELL", "sh")
    c.ServerApp.terminado_settings = {"shell_command": [shell]}  # noqa: F821
