"""The order of the gallery: examples that are run, by name, then those that are not."""

__all__ = ["RunsFirst"]


class RunsFirst:
    """Key by which sphinx-gallery sorts the files of a folder."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, name):
        return not name.startswith("plot_"), name
