"""akb bank review: a page on which people read a bank's items."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from akb.cli.bank.places import Only, Places, items_of


def review(
    places: Places = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Where the page is written.")] = Path("review.html"),
    serve: Annotated[
        bool, typer.Option("--serve", help="Serve the page on this machine and save each answer at once.")
    ] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of --serve; 0: any that is free.")] = 0,
    results: Annotated[Path, typer.Option(help="With --serve: where readings are appended.")] = Path(
        "readings-human.jsonl"
    ),
    round_: Annotated[int, typer.Option("--round", min=1, help="The round of building the bank.")] = 1,
    only: Only = None,
) -> None:
    """Make a page on which people answer the items blind, then see the key and say what they think of it.

    The page is one file that needs no network: its answers are exported by hand. With --serve they are saved as they
    are given, until Ctrl-C. Either way akb bank agreement reads them.
    """
    from akb import report
    from akb.bank.review import page
    from akb.bank.review.server import Server
    from akb.files import write_whole

    items = items_of(places, only)
    if not serve:
        write_whole(out, page.make(items, round_))
        report.show(f"{out}: {len(items)} items. Open it in a browser; export the answers when you are done.")
        return
    server = Server(items, round_, results, port)
    with suppress(KeyboardInterrupt):
        print(f"{server.url}\n{len(items)} items; answers go to {results}. Ctrl-C ends.", flush=True)
        server.run()
