"""What pyproject.toml can't say: conf/ of the checkout goes into the package when a wheel is built."""

from pathlib import Path
from shutil import copytree

from setuptools import setup
from setuptools.command.build_py import build_py


class WithConfigurations(build_py):  # type: ignore[misc]  # setuptools has no types here
    """Build the package, and put the configuration files into it."""

    def run(self) -> None:
        """Copy them beside the modules; an editable installation finds them where they are."""
        super().run()
        if not self.editable_mode:
            copytree("conf", Path(self.build_lib, "rnnlab", "conf"), dirs_exist_ok=True)


setup(cmdclass={"build_py": WithConfigurations})
