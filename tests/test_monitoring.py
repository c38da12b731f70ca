"""A feed read again and again, as cron would, from requests to the index."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from news_site import LOOPBACK, FakeClock, Site, page, rss
from sample import FakeEncoder

from index.article import Article
from index.build import Intake, Report, add, rebuild
from index.catalog import Catalog
from index.fetching.settings import FetchSettings
from index.generation import live_generation

Load = Callable[[str | None], FakeEncoder]
TIDES = "The tide stood two metres above the chart at noon.\n\nNobody remembers a higher one at the quay."


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as site:
        publish(site, "tides", "boats", "nets")
        for name in ("tides", "boats", "nets"):
            site.put(f"/{name}.html", page(f"About {name}", story(name)), etag=f'"{name}"')
        yield site


def story(name: str) -> str:
    return "\n\n".join(f"What people say about {name} in the harbour is told in part {part}." * 4 for part in range(3))


def publish(site: Site, *names: str, **stamps: str) -> None:
    items = [
        {"link": site.url(f"/{name}.html"), "title": f"About {name}", "description": stamps.get(name, "As before.")}
        for name in names
    ]
    body = rss(items)
    site.put("/feed.xml", body, "application/rss+xml", etag=f'"{hash(body)}"')


def run(root: Path, site: Site, load: Load) -> tuple[Report, list[str]]:
    """Adds the feed; what that did, and which addresses it asked for."""
    site.requests.clear()
    intake = Intake(fetching=FetchSettings(clock=FakeClock(), networks=LOOPBACK))
    report = add(root, [site.url("/feed.xml")], load, intake=intake)
    return report, site.paths


def stored(root: Path) -> dict[str, Article]:
    with closing(Catalog.snapshot(live_generation(root).catalog)) as catalog:
        fetched = (article for article in catalog.all_articles() if "127.0.0.1" in (article.url or ""))
        return {article.title: article for article in fetched}


def set_aside(root: Path) -> list[str]:
    with closing(Catalog.snapshot(live_generation(root).catalog)) as catalog:
        return [document.reason for document in catalog.journal.documents_set_aside()]


def test_an_unchanged_feed_costs_one_request_and_no_embedding(
    root: Path, site: Site, load: Load, encoder: FakeEncoder
) -> None:
    report, asked = run(root, site, load)
    assert (report.articles, report.set_aside) == (3, ())
    assert sorted(asked) == ["/boats.html", "/feed.xml", "/nets.html", "/robots.txt", "/tides.html"]
    assert sorted(stored(root)) == ["About boats", "About nets", "About tides"]
    assert stored(root)["About nets"].url == site.url("/nets.html")
    encoder.encoded.clear()
    report, asked = run(root, site, load)
    assert (asked, report.articles, encoder.encoded) == (["/feed.xml"], 0, [])


def test_an_unchanged_feed_does_not_even_load_the_model(root: Path, site: Site, load: Load) -> None:
    run(root, site, load)
    asked: list[str | None] = []
    run(root, site, lambda name: asked.append(name) or load(name))
    assert asked == []


def test_of_a_changed_feed_only_what_is_new_or_changed_is_fetched_and_embedded(
    root: Path, site: Site, load: Load, encoder: FakeEncoder
) -> None:
    run(root, site, load)
    site.put("/whales.html", page("About whales", story("whales")))
    site.put("/tides.html", page("About tides", f"{story('tides')}\n\n{TIDES}"), etag='"tides 2"')
    publish(site, "whales", "tides", "boats", "nets", tides="With a correction.", boats="Only the teaser is new.")
    encoder.encoded.clear()
    report, asked = run(root, site, load)
    assert asked == ["/feed.xml", "/whales.html", "/tides.html", "/boats.html"]  # boats: 304
    assert (report.articles, len(stored(root))) == (2, 4)
    assert {text.split("\n", 1)[0] for text in encoder.encoded} == {"About whales", "About tides"}
    assert "Nobody remembers" in stored(root)["About tides"].text


def test_what_failed_in_passing_is_read_by_the_next_run(root: Path, site: Site, load: Load) -> None:
    site.put("/nets.html", status=503)
    report, _ = run(root, site, load)
    assert (report.articles, len(report.set_aside), len(set_aside(root))) == (2, 1, 1)
    site.put("/nets.html", page("About nets", story("nets")))
    report, asked = run(root, site, load)
    assert (asked, report.articles, set_aside(root)) == (["/feed.xml", "/nets.html"], 1, [])


def test_a_page_set_aside_for_good_is_asked_for_again_only_on_request(root: Path, site: Site, load: Load) -> None:
    site.put("/nets.html", status=404)
    run(root, site, load)
    assert run(root, site, load)[1] == ["/feed.xml"]
    site.put("/nets.html", page("About nets", story("nets")))
    intake = Intake(fetching=FetchSettings(clock=FakeClock(), networks=LOOPBACK))
    assert add(root, [], load, retry=True, intake=intake).articles == 1
    assert set_aside(root) == []


def test_an_article_that_was_removed_does_not_come_back_with_the_feed(root: Path, site: Site, load: Load) -> None:
    from index.build import remove

    run(root, site, load)
    remove(root, [site.url("/nets.html")])
    publish(site, "tides", "boats", "nets", tides="New.")
    run(root, site, load)
    assert sorted(stored(root)) == ["About boats", "About tides"]


def test_a_rebuild_without_sources_keeps_what_is_known_of_the_feed(root: Path, site: Site, load: Load) -> None:
    run(root, site, load)
    rebuild(root, [], load)
    assert run(root, site, load)[1] == ["/feed.xml"]
