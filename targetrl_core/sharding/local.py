"""Several devices in one process: a thread for each."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from functools import reduce
from queue import SimpleQueue
from threading import Event, Thread
from typing import TypeAlias

from targetrl_core.summary import Summary

Streams: TypeAlias = Sequence[Generator[Summary, None, None]]
_Drawn: TypeAlias = tuple[int, Summary | BaseException | None]


def together(streams: Streams) -> Generator[Summary, None, None]:
    """Draw from streams of different policies at once; after each chunk of any, the sum of all. What one raises ends them all."""
    if len(streams) == 1:
        yield from streams[0]
        return
    results: SimpleQueue[_Drawn] = SimpleQueue()
    over = Event()
    threads = [Thread(target=_draw, args=(place, summaries, results, over)) for place, summaries in enumerate(streams)]
    for thread in threads:
        thread.start()
    try:
        yield from _sums(len(streams), results)
    finally:
        over.set()
        for thread in threads:
            thread.join()


def _draw(place: int, summaries: Generator[Summary, None, None], results: "SimpleQueue[_Drawn]", over: Event) -> None:
    try:
        with closing(summaries):
            for summary in summaries:
                results.put((place, summary))
                if over.is_set():
                    break
        results.put((place, None))
    except BaseException as error:  # noqa: BLE001 — it is raised where the sum is made
        results.put((place, error))


def _sums(streams: int, results: "SimpleQueue[_Drawn]") -> Iterator[Summary]:
    latest: dict[int, Summary] = {}
    while streams:
        place, what = results.get()
        if isinstance(what, BaseException):
            raise what
        if what is None:
            streams -= 1
        else:
            latest[place] = what
            yield reduce(Summary.plus, latest.values())
