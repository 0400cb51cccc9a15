"""What pyproject.toml can't say: ``conf/`` of the checkout goes into the package when a wheel is built.

Only setuptools imports this, by ``tool.setuptools.cmdclass``; nothing else of rnnlab is there then.
"""

from pathlib import Path
from shutil import copytree

from setuptools.command.build_py import build_py


class WithConfigurations(build_py):  # type: ignore[misc]  # setuptools has no types here
    """Build the package, and put the configuration files into it."""

    def run(self) -> None:
        """Copy them beside the modules; an editable installation finds them where they are."""
        super().run()
        if not self.editable_mode:
            copytree("conf", Path(self.build_lib, "rnnlab", "conf"), dirs_exist_ok=True)

    def get_source_files(self) -> list[str]:
        """Return what a source distribution holds: the configuration files, too."""
        return [*super().get_source_files(), *map(str, sorted(Path("conf").rglob("*.yaml")))]
