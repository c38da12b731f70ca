"""What ranks news best: every idea measured alone and together, over the same passages in one run.

    python benchmarks/ranking.py INDEX FOLDER [FOLDER ...] [--tune] [--json]

INDEX is a built index; each FOLDER holds queries.jsonl and qrels.txt for it. Prints nDCG@10 on every
folder and their mean for the baselines, for plain hybrid search with each idea added, and for the
ranking in use with each of its parts taken away; with p of a paired bootstrap over queries, each set
weighing the same. `--tune` finds the constants anew, by coordinate ascent, in five folds: what it
prints was ranked with constants that those queries did not help to choose.

The constants in use stand in search/rank.py; docs/experiments.md tells what came of it.
"""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from ranking_pools import Array, Pool, read_corpus, read_pools
from sklearn.linear_model import LogisticRegression

from index.encoder import load_encoder
from search import rank

_RESAMPLES = 10_000
_FOLDS = 5
_WORST = -1e9


@dataclass(frozen=True)
class Constants:
    """The weights of one ranking. Zero leaves a part out; the defaults are plain hybrid search."""

    cosine: float = 1.0
    share: float = 1.0
    share_power: float = 2.0
    lexical: str = "share"
    pairs: float = 0.0
    pairs_gated: bool = True
    lead: float = 0.0
    article_cosine: float = 0.0
    article_share: float = 0.0
    article_power: float = 3.0
    article_lexical: str = "article share"
    title_cosine: float = 0.0
    first_cosine: float = 0.0
    title_share: float = 0.0
    coverage: float = 0.0
    article_coverage: float = 0.0
    for_long_queries: bool = True
    second: float = 0.0
    feedback: float = 0.0
    lexical_feedback: float = 0.0
    feedback_passages: int = 5
    recency: float = 0.0
    half_life: float = 30.0
    gate: str = ""


PLAIN = Constants()
BEFORE = Constants(article_cosine=0.3)
IN_USE = Constants(
    share=rank.SHARE_WEIGHT, share_power=rank.SHARE_POWER, pairs=rank.PAIR_WEIGHT, lead=rank.LEAD_WEIGHT,
    article_cosine=rank.ARTICLE_COSINE_WEIGHT, article_share=rank.ARTICLE_SHARE_WEIGHT,
    article_power=rank.ARTICLE_SHARE_POWER, article_coverage=rank.COVERAGE_WEIGHT,
    feedback=rank.FEEDBACK_WEIGHT, feedback_passages=rank.FEEDBACK_PASSAGES,
)  # fmt: skip
RECENT = replace(IN_USE, recency=rank.RECENCY_WEIGHT, half_life=rank.HALF_LIFE_DAYS)

# What --tune chooses from.
GRID: dict[str, Sequence[float]] = {
    "article_share": (0.5, 0.75, 1.0, 1.25, 1.5), "article_power": (2, 3, 4), "pairs": (0, 1, 2, 3, 4),
    "share": (0, 0.25, 0.5, 1), "article_cosine": (0.2, 0.3, 0.4, 0.5, 0.6), "lead": (0, 0.05, 0.1, 0.15, 0.2),
    "feedback": (0, 0.1, 0.2, 0.3), "article_coverage": (0, 0.15, 0.3, 0.45),
}  # fmt: skip

Scores = Callable[[Pool], Array]


class Ranking:
    """Scores of a pool's articles under some constants."""

    def __init__(self, constants: Constants) -> None:
        self.constants = constants

    def __call__(self, pool: Pool) -> Array:
        """One score for each of the pool's articles."""
        constants, signals = self.constants, pool.signals
        passages, whole = self.parts(pool)
        if constants.feedback:
            best = np.argsort(-(passages + whole), kind="stable")[: constants.feedback_passages]
            centre = pool.likeness[:, best].mean(axis=1) / np.sqrt(pool.likeness[np.ix_(best, best)].mean())
            passages = passages + constants.feedback * centre
        scores = best_of(passages, pool) + _of_articles(whole, pool)
        if constants.second:
            scores += constants.second * _second(passages, pool)
        if constants.recency and pool.day:
            ages = pool.day - _of_articles(signals["day"], pool)
            scores += constants.recency * np.where(ages >= -1, 0.5 ** (np.maximum(ages, 0) / constants.half_life), 0)
        return scores

    def parts(self, pool: Pool) -> tuple[Array, Array]:
        """What each candidate has of its own, and what it has of its article."""
        constants, signals = self.constants, pool.signals
        share = signals[constants.article_lexical]
        words = (signals["words"][0] - rank.FEWEST_WORDS) / (rank.MANY_WORDS - rank.FEWEST_WORDS)
        long = min(max(words, 0), 1) if constants.for_long_queries else 1
        gate = signals[constants.gate].max() ** 2 if constants.gate else 1.0
        passages = (
            constants.cosine * signals["cosine"]
            + gate * constants.share * signals[constants.lexical] ** constants.share_power
            + constants.pairs * signals["pairs"] * (share if constants.pairs_gated else 1)
            + constants.coverage * signals["coverage"] ** 2
            + constants.lexical_feedback * signals["lexical feedback"]
            + constants.lead * signals["lead"]
        )
        whole = (
            constants.article_cosine * signals["article cosine"]
            + gate * constants.article_share * share**constants.article_power
            + constants.title_cosine * signals["title cosine"]
            + constants.first_cosine * signals["first cosine"]
            + constants.title_share * signals["title"]
            + constants.article_coverage * long * signals["article coverage"] ** rank.COVERAGE_POWER
        )
        return passages, whole


def best_of(passages: Array, pool: Pool) -> Array:
    """Each article's best candidate."""
    best = np.full(len(pool.articles), _WORST)
    np.maximum.at(best, pool.group, passages)
    return best


def _of_articles(values: Array, pool: Pool) -> Array:
    """A value that all candidates of an article share, once an article."""
    whole = np.zeros(len(pool.articles))
    whole[pool.group] = values
    return whole


def _second(passages: Array, pool: Pool) -> Array:
    rest = passages.copy()
    order = np.lexsort((-passages, pool.group))
    firsts = np.r_[True, pool.group[order][1:] != pool.group[order][:-1]]
    rest[order[firsts]] = 0
    second = np.zeros(len(pool.articles))
    np.maximum.at(second, pool.group, rest)
    return second


def reciprocal_ranks(pool: Pool) -> Array:
    """RRF, k = 60, of the two legs' passages; the best passage of each article."""
    cosine, bm25 = (np.argsort(np.argsort(-pool.signals[leg], kind="stable")) + 1 for leg in ("cosine", "bm25"))
    return best_of(1 / (60 + cosine) + np.where(pool.signals["bm25"] > 0, 1 / (60 + bm25), 0), pool)


def of_the_best(pool: Pool) -> Array:
    """0.5 · cosine + 0.5 · BM25 / (best BM25): max-normalised fusion."""
    return best_of(0.5 * pool.signals["cosine"] + 0.5 * _scaled(pool.signals["bm25"], lowest=0.0), pool)


def between_extremes(pool: Pool) -> Array:
    """0.5 of each leg, both scaled from 0 (its worst candidate) to 1 (its best)."""
    cosine = pool.signals["cosine"]
    return best_of(0.5 * _scaled(cosine, float(cosine.min())) + 0.5 * _scaled(pool.signals["bm25"], lowest=0.0), pool)


def cascade(pool: Pool) -> Array:
    """The 100 best by BM25 in the order of their cosines."""
    bm25 = pool.signals["bm25"]
    cut = np.sort(bm25)[-min(100, len(bm25))]
    return best_of(np.where((bm25 >= cut) & (bm25 > 0), pool.signals["cosine"], _WORST), pool)


def _scaled(scores: Array, lowest: float) -> Array:
    return (scores - lowest) / max(float(scores.max()) - lowest, 1e-9)


def notes_best(pool: Pool) -> Array:
    """The best row that was measured before anything was tuned: three passages and the article's mean."""
    signals = pool.signals
    passages = signals["cosine"] + 0.5 * signals["share"] + 1.5 * signals["share"] ** 2
    ordered = np.lexsort((-passages, pool.group))
    scores = _of_articles(0.3 * signals["article cosine"], pool)
    for at, position in enumerate(ordered):
        place = at - np.searchsorted(pool.group[ordered], pool.group[position])
        scores[pool.group[position]] += (1.0, 0.15, 0.02, 0)[min(place, 3)] * passages[position]
    return scores


BASELINES: dict[str, Scores] = {
    "RRF, k = 60": reciprocal_ranks,
    "0.5 cosine + 0.5 BM25 / best": of_the_best,
    "0.5 + 0.5, each from worst to best": between_extremes,
    "best 100 of BM25 by cosine": cascade,
    "notes: three passages + article": notes_best,
}
# Added to plain hybrid search one at a time.
ALONE: dict[str, Constants] = {
    "plain hybrid: cosine + share²": PLAIN,
    "share, weight .5": replace(PLAIN, share=0.5),
    "share, weight 2": replace(PLAIN, share=2.0),
    "share, power 1": replace(PLAIN, share_power=1.0),
    "share, power 3": replace(PLAIN, share_power=3.0),
    "BM25 of the body without title": replace(PLAIN, lexical="body"),
    "title field, weight .2": replace(PLAIN, title_share=0.2),
    "words covered², weight .5": replace(PLAIN, coverage=0.5),
    "pairs of words, weight .5": replace(PLAIN, pairs=0.5, pairs_gated=False),
    "opening first, weight .1": replace(PLAIN, lead=0.1),
    "second passage, weight .15": replace(PLAIN, second=0.15),
    "article cosine, weight .3": BEFORE,
    "title cosine, weight .2": replace(PLAIN, title_cosine=0.2),
    "first passage's cosine, weight .2": replace(PLAIN, first_cosine=0.2),
    "article share³, weight .5": replace(PLAIN, article_share=0.5),
    "article share³, k1 .9, b .4": replace(PLAIN, article_share=0.5, article_lexical="article share .9 .4"),
    "lexical as sure as the best share": replace(PLAIN, share=4.0, gate="share"),
    "lexical as sure as the best coverage": replace(PLAIN, share=1.0, gate="coverage"),
    "article coverage⁶ of long queries, .3": replace(PLAIN, article_coverage=0.3),
    "lexical feedback, weight .1": replace(PLAIN, lexical_feedback=0.1),
    "lexical feedback, weight .3": replace(PLAIN, lexical_feedback=0.3),
    "dense feedback, 5 passages, weight .2": replace(PLAIN, feedback=0.2),
    "dense feedback, 3 passages, weight .2": replace(PLAIN, feedback=0.2, feedback_passages=3),
    "dense feedback, 10 passages, weight .2": replace(PLAIN, feedback=0.2, feedback_passages=10),
}
WITHOUT: dict[str, Constants] = {
    "in use": IN_USE,
    "without passage share": replace(IN_USE, share=0),
    "without pairs": replace(IN_USE, pairs=0),
    "pairs whatever the article's share": replace(IN_USE, pairs=0.5, pairs_gated=False),
    "without opening": replace(IN_USE, lead=0),
    "without article cosine": replace(IN_USE, article_cosine=0),
    "without article share": replace(IN_USE, article_share=0, pairs_gated=False, pairs=0.5),
    "without coverage": replace(IN_USE, article_coverage=0),
    "coverage for queries of any length": replace(IN_USE, for_long_queries=False),
    "article share, k1 .9, b .4": replace(IN_USE, article_lexical="article share .9 .4"),
    "without dense feedback": replace(IN_USE, feedback=0),
    "with lexical feedback, .1": replace(IN_USE, lexical_feedback=0.1),
    "with title cosine, .1": replace(IN_USE, title_cosine=0.1),
    "with second passage, .1": replace(IN_USE, second=0.1),
    "with words covered, .2": replace(IN_USE, coverage=0.2),
}
RECENCY: dict[str, Constants] = {
    f"in use + {weight:g} recency, half-life {days:g} days": replace(IN_USE, recency=weight, half_life=days)
    for weight in (0.1, 0.2, 0.3)
    for days in (7, 30, 90)
}


@dataclass(frozen=True)
class Figures:
    """nDCG@10 and Success@1 of every query, by folder."""

    ndcg: tuple[Array, ...]
    success: tuple[Array, ...]

    @property
    def means(self) -> list[float]:
        """nDCG@10 by folder."""
        return [float(figures.mean()) for figures in self.ndcg]


def measured(sets: Sequence[Sequence[Pool]], score: Scores, *, all_articles: bool = False) -> Figures:
    """Ranks every pool."""
    gains = [
        np.asarray([(pool.gains_of_all if all_articles else pool.gains)(score(pool)) for pool in pools])
        for pools in sets
    ]
    return Figures(tuple(part[:, 0] for part in gains), tuple(part[:, 1] for part in gains))


def p_value(one: Figures, other: Figures) -> float:
    """How often the difference of the means has the other sign when queries are drawn anew, both tails."""
    generator = np.random.default_rng(2022)
    differences = np.zeros(_RESAMPLES)
    for a, b in zip(one.ndcg, other.ndcg, strict=True):
        drawn = generator.integers(0, len(a), (_RESAMPLES, len(a)))
        differences += (a - b)[drawn].mean(axis=1)
    return 2 * float(min((differences <= 0).mean(), (differences >= 0).mean(), 0.5))


def tuned(sets: Sequence[Sequence[Pool]], chosen: Sequence[Array], start: Constants) -> Constants:
    """Coordinate ascent over GRID on the mean of the sets, from `start`; `chosen` marks the queries to use."""
    known: dict[Constants, float] = {}

    def value(constants: Constants) -> float:
        if constants not in known:
            ranking = Ranking(constants)
            parts = [
                np.mean([pool.gains(ranking(pool))[0] for pool, use in zip(pools, mask, strict=True) if use])
                for pools, mask in zip(sets, chosen, strict=True)
            ]
            known[constants] = float(np.mean(parts))
        return known[constants]

    best, before = start, -1.0
    while value(best) > before:
        before = value(best)
        for name, steps in GRID.items():
            best = max((best, *(replace(best, **{name: step}) for step in steps)), key=value)
    return best


def folds(sets: Sequence[Sequence[Pool]]) -> list[Array]:
    """The fold of every query."""
    generator = np.random.default_rng(0)
    return [generator.permutation(len(pools)) % _FOLDS for pools in sets]


def cross_validated(sets: Sequence[Sequence[Pool]]) -> tuple[Figures, list[Constants]]:
    """Every query ranked with constants that the other four folds chose, from plain hybrid on."""
    parts = folds(sets)
    found = [tuned(sets, [part != fold for part in parts], BEFORE) for fold in range(_FOLDS)]
    rankings = [Ranking(constants) for constants in found]
    gains = [
        np.asarray([pool.gains(rankings[fold](pool)) for pool, fold in zip(pools, part, strict=True)])
        for pools, part in zip(sets, parts, strict=True)
    ]
    return Figures(tuple(part[:, 0] for part in gains), tuple(part[:, 1] for part in gains)), found


_LEARNED = ("cosine", "share", "pairs", "coverage", "lead", "article cosine", "title cosine", "article share", "title")


def learned(sets: Sequence[Sequence[Pool]]) -> Figures:
    """Logistic regression over the signals and their squares, in the same folds, every set weighing the same."""
    parts = folds(sets)
    gains = [np.zeros((len(pools), 2)) for pools in sets]
    for fold in range(_FOLDS):
        rows, labels, weights = [], [], []
        for pools, part in zip(sets, parts, strict=True):
            for pool, of in zip(pools, part, strict=True):
                if of != fold:
                    rows.append(_signals(pool))
                    labels.append(pool.relevant[pool.articles][pool.group])
                    weights.append(np.full(len(pool.group), 1 / (len(pools) * len(pool.group))))
        matrix = np.concatenate(rows)
        scale = matrix.std(axis=0)
        weight = np.concatenate(weights)
        model = LogisticRegression(max_iter=500)
        model.fit(matrix / scale, np.concatenate(labels), sample_weight=weight / weight.mean())
        for at, (pools, part) in enumerate(zip(sets, parts, strict=True)):
            for position in np.flatnonzero(part == fold):
                scores = best_of(model.decision_function(_signals(pools[position]) / scale), pools[position])
                gains[at][position] = pools[position].gains(scores)
    return Figures(tuple(part[:, 0] for part in gains), tuple(part[:, 1] for part in gains))


def _signals(pool: Pool) -> Array:
    plain = np.stack([pool.signals[name] for name in _LEARNED], axis=1)
    return np.concatenate([plain, plain**2], axis=1)


def main(arguments: list[str]) -> None:
    """Prints the tables."""
    options = {argument for argument in arguments if argument.startswith("--")}
    index, *names = [argument for argument in arguments if argument not in options]
    missing = [name for name in names if not (Path(name) / "qrels.txt").is_file()]
    if not names or missing:
        sys.exit(f"Skipped: no labelled queries at {missing[0]}." if missing else __doc__)
    encoder = load_encoder()
    corpus = read_corpus(Path(index), encoder)
    sets = [read_pools(corpus, Path(name), encoder) for name in names]
    table: dict[str, Figures] = {
        "dense alone": measured(sets, lambda pool: pool.dense, all_articles=True),
        "BM25 alone, k1 .9, b .4": measured(sets, lambda pool: pool.bm25, all_articles=True),
        "BM25 alone, k1 1.2, b .75": measured(sets, lambda pool: best_of(pool.signals["bm25"], pool)),
        "… without stems": measured(sets, lambda pool: best_of(pool.signals["unstemmed"], pool)),
    }
    table |= {name: measured(sets, score) for name, score in BASELINES.items()}
    for rankings in (ALONE, WITHOUT, RECENCY):
        table |= {name: measured(sets, Ranking(constants)) for name, constants in rankings.items()}
    table["logistic regression, held out"] = learned(sets)
    chosen: list[Constants] = []
    if "--tune" in options:
        table["tuned, held out"], chosen = cross_validated(sets)
        whole = tuned(sets, [np.ones(len(pools), bool) for pools in sets], IN_USE)
        table["tuned on everything"] = measured(sets, Ranking(whole))
        chosen.append(whole)
    if "--json" in options:
        print(json.dumps({name: {"ndcg@10": figures.means} for name, figures in table.items()}))
        return
    _show(table, names)
    for constants in chosen:
        print({name: getattr(constants, name) for name in GRID})


def _show(table: dict[str, Figures], names: Sequence[str]) -> None:
    heads = " ".join(f"{Path(name).name[-11:]:>11}" for name in names)
    print(f"{'nDCG@10':40} {heads}    mean  S@1(1)   p(plain) p(in use)")
    plain, in_use = table["plain hybrid: cosine + share²"], table["in use"]
    for name, figures in table.items():
        shown = " ".join(f"{figure:11.4f}" for figure in figures.means)
        ps = f"{p_value(figures, plain):8.4f} {p_value(figures, in_use):9.4f}"
        print(f"{name:40} {shown} {np.mean(figures.means):7.4f} {figures.success[0].mean():7.4f} {ps}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
