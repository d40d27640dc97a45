"""The reference pages, made from the code when the site is built, so that they cannot go stale.

Each module has one function that returns Markdown; `PAGES` says which page has which.
"""

from collections.abc import Callable

from . import api, commands, files, python, results, settings

PAGES: dict[str, Callable[[], str]] = {
    "reference/job-file.md": settings.job_file,
    "reference/service-file.md": settings.service_file,
    "reference/stages.md": settings.stages,
    "reference/products.md": settings.products,
    "reference/configurations.md": files.configurations,
    "reference/command-line.md": commands.page_of_commands,
    "reference/results.md": results.columns,
    "reference/reasons.md": results.reasons,
    "reference/http-api.md": api.page_of_routes,
    "reference/examples.md": files.examples,
    "reference/models.md": files.models,
    "reference/python.md": python.page_of_objects,
}
