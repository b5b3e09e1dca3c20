"""The site of a study."""

from pathlib import Path
from typing import Any

import click

from livewell.cli.talk import PATH, Talk, command


@command("serve")
@click.argument("study", type=PATH)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Where to listen; 0.0.0.0: for the whole network, where everybody signs in.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8321,
    show_default=True,
    help="0: any that is free.",
)
@click.option("--no-browser", is_flag=True, help="Open no browser.")
@click.option("--runs", type=PATH, multiple=True, help="Folder of runs of this study (repeatable).")
@click.option("--database", help="Of answers: postgresql://USER@HOST/NAME; else in the study.")
@click.option("--url", help="Where browsers find it, where a proxy stands before it.")
def serve_(talk: Talk, study: Path, no_browser: bool, url: str | None, **options: Any) -> None:
    """Open a study in the browser: look, annotate, agree, be tested."""
    from livewell.study.study import Study
    from livewell.web.serving import ServeSettings, serve
    from livewell.web.site import Site

    def ready(site: Site) -> None:
        talk.say(f"open {site.link}")
        talk.say("Ctrl-C ends it")
        talk.result({"address": site.address, "link": site.link, "study": str(study)})

    settings = ServeSettings(address=url, **options)
    serve(Study.open(study), settings, owner="owner", ready=ready, browser=not no_browser)
