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
@click.option("--certificate", type=PATH, help="For https: a file in PEM format.")
@click.option("--certificate-key", type=PATH, help="The certificate's key.")
@click.option("--owner", help="Name of who gets the link; the first owner by default.")
@click.option(
    "--experts-look",
    is_flag=True,
    help="Experts, who answer blind, may look at images with their names too.",
)
def serve_(
    talk: Talk,
    study: Path,
    no_browser: bool,
    url: str | None,
    certificate_key: Path | None,
    **options: Any,
) -> None:
    """Open a study in the browser: look, annotate, agree, be tested.

    On this machine alone nobody needs a password: the link that is printed signs you in as long as
    this command runs. Beyond it (--host, --url) everybody signs in: the link lets the owner choose
    a password, once, and the owner invites the others. A forgotten password of an owner: --owner.

    The password of a database may stand in LIVEWELL_DATABASE_PASSWORD, PGPASSWORD or .pgpass.
    Who asked for what stands in STUDY/site/site.log.
    """
    from livewell.study.study import Study
    from livewell.web.serving import ServeSettings, serve, warnings_of
    from livewell.web.site import Site

    settings = ServeSettings(address=url, key=certificate_key, **options)

    def ready(site: Site) -> None:
        warnings = warnings_of(site)
        for text in warnings:
            talk.warn(text)
        talk.say(f"open {site.link}")
        talk.say("stop with Ctrl-C")
        talk.result(
            {
                "address": site.address,
                "link": site.link,
                "study": str(study),
                "warnings": warnings,
            }
        )

    serve(Study.open(study), settings, ready=ready, browser=not no_browser)
