"""What is measured: one entry a measure, which everything that lists measures reads.

A new measure is one entry and its formula. Entries stand in the order in which results files hold them. This module
imports no numpy and knows no files, so that a command line may read it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: What a measure speaks of.
About = Literal["model", "group", "between", "responses", "scorers"]
#: Blocks of results files, and tables, pictures and exports, by what they hold.
Place = Literal[
    "model",
    "people",
    "shares",
    "secondary",
    "ranks",
    "rates",
    "one_member",
    "trust",
    "prompts",
    "exposures",
    "contrasts",
    "ratio",
    "spread",
    "standardised",
    "cells",
    "changes",
    "gap changes",
    "wordings",
    "table",
    "differences",
    "plan",
    "lm_eval",
    "screen",
    "first",
    "beside",
]
PLACES: dict[Place, str] = {
    "model": "groups, beside a model's predictions",
    "people": "groups, without a model",
    "shares": "groups of which only shares of answers are known",
    "secondary": "`secondary` of a group",
    "ranks": "`ranks` of an audit",
    "rates": "`rates` of an audit, by threshold",
    "one_member": "`one_member` of an audit",
    "trust": "`people` of each scorer of responses",
    "prompts": "means over prompts, by scorer",
    "exposures": "exposures of a group, by scorer",
    "contrasts": "families of contrasts",
    "ratio": "contrasts also as a ratio of both sides",
    "spread": "`spread` between groups",
    "standardised": "`standardised` gaps",
    "cells": "parts of `standardised` gaps",
    "changes": "changes from one set of predictions to another",
    "gap changes": "changes of the gaps between groups",
    "wordings": "values wording by wording",
    "table": "tables on a terminal",
    "differences": "differences under such a table",
    "plan": "`lm-plural plan`",
    "lm_eval": "lm-eval's results",
    "screen": "the screen at the end of a verb, over all raters",
    "first": "what a result says of itself in Python, as its first number",
    "beside": "what a result says of itself in Python, beside its first number",
}


@dataclass(frozen=True)
class Picture:
    """How a picture of a measure is called.

    Parameters
    ----------
    title, axis : str
    zero : bool
        Whether zero parts two findings and gets a line.
    """

    title: str
    axis: str
    zero: bool = False


@dataclass(frozen=True)
class Measure:
    """What is known of one measure.

    Parameters
    ----------
    name : str
        As in results files; of a key that two blocks hold with two meanings, the block stands before it and a dot.
    heading : str
        In tables.
    about : {"model", "group", "between", "responses", "scorers"}
    unit : str
    sentence : str
        What it says, in plain words.
    formula : str
        Symbols as in docs/method.md.
    source : str
        Where it is from.
    low, high : float, optional
        What an estimate cannot leave; None: no such end.
    better : bool, optional
        Whether more is better; None: neither, or it depends on the scale.
    digits : int
        Of a number in a table.
    signed : bool
        Whether a table shows the sign of a number above 0, too.
    linear : bool
        Whether it is a mean over single ratings.
    least : int
        Raters of a group (on either side) an item must have to count; 0: no rater is needed.
    few_raters : str
        What a finite number of raters does to it, where measures of unequal worth stand side by side.
    shown : tuple of str
        The places that hold it.
    picture : Picture, optional
    """

    name: str
    heading: str
    about: About
    unit: str
    sentence: str
    formula: str = ""
    source: str = ""
    low: float | None = None
    high: float | None = None
    better: bool | None = None
    digits: int = 3
    signed: bool = False
    linear: bool = False
    least: int = 2
    few_raters: str = ""
    shown: tuple[Place, ...] = ()
    picture: Picture | None = None

    @property
    def key(self) -> str:
        """Key in its block."""
        return self.name.rpartition(".")[2]

    @property
    def range(self) -> str:
        """Range in words: ``0 to 1``, ``from 0``, empty without an end."""
        low, high = (None if end is None else f"{end:.3g}" for end in (self.low, self.high))
        if low is None or high is None:
            return f"from {low}" if low else f"up to {high}" if high else ""
        return f"{low} to {high}"


POINTS, _DISTANCE, _SHARE, _CORRELATION, _PERCENT = "scale points", "distance", "share", "correlation", "percent"
_EVERYWHERE: tuple[Place, ...] = ("contrasts", "spread", "standardised", "plan")
_RISES = "rises as raters fall"
_RAREFIED = "equal raters for all groups, yet higher for a divided group"
_ATTENUATED = "attenuated by noise in item means"
_LN2 = 0.6931471805599454
_PAIRS = "a mean over distinct pairs of raters, so that few raters move it in neither direction"
_METHOD = "docs/method.md"
_GRASP = "GRASP: Prabhakaran et al. 2024"
_EFFECTS = "effect sizes side by side, as they are easily mixed (docs/method.md)"
_KITAGAWA = "Kitagawa 1955"

#: Which values are better, in a word.
BETTER = {True: "higher", False: "lower", None: ""}

#: Set by hand as a table: a line of names, a line of words, then the rest.
# fmt: off
MEASURES: tuple[Measure, ...] = (
    Measure("mean", "mean", "group", POINTS,
        "The mean over all ratings of the group, however many an item has.",
        "mean of all s", "plain counting", digits=2, linear=True, least=1, shown=("table",)),
    Measure("rates", "rate", "group", _SHARE,
        "The share of the group's ratings at or above a level.",
        "share of s >= level", "plain counting", 0, 1, linear=True, least=1),
    Measure("alpha", "alpha", "group", "agreement",
        "How far people of the group agree with each other beyond chance, by nominal, ordinal or interval distance.",
        "1 - D_o / D_e", "Krippendorff 2004, ch. 11", high=1),
    Measure("item_mean", "item mean", "group", POINTS,
        "How the group rates the average item.",
        "mean over items of mean(s)", _METHOD, digits=2, linear=True, least=1,
        shown=("people", "table", "differences", *_EVERYWHERE, "first"),
        picture=Picture("How each group rates the items (item_mean, scale points)", "mean rating")),
    Measure("bias", "bias", "model", POINTS,
        "How far above (or, below 0, under) the group's mean rating the model's is.",
        "E_q[s] - mean(s)", _METHOD, digits=2, signed=True, linear=True, least=1,
        shown=("model", "table", "differences", *_EVERYWHERE, "changes", "wordings", "lm_eval", "beside"),
        picture=Picture("How far below or above each group the model rates (bias, scale points)",
                        "model minus group", zero=True)),
    Measure("divergence", "divergence", "model", _DISTANCE,
        "How far the model is from what the group said, 0 being no distance; an estimate may fall below 0 by chance.",
        "C = sum of D [(F - Q)^2 - F (1 - F) / (n - 1)]",
        f"ranked probability score without what few raters add, {_PAIRS}", -0.25, 1, better=False,
        shown=("model", "table", "differences", *_EVERYWHERE, "ratio", "changes", "gap changes", "wordings", "lm_eval",
               "screen", "first"),
        picture=Picture("How far the model is from each group (divergence, 0 to 1)",
                        "divergence (0: same as the group)")),
    Measure("disagreement", "within", "group", _DISTANCE,
        "How much the group disagrees inside: the distance of two members, halved.",
        "U = sum of D F (1 - F) n / (n - 1)", f"half of Gini's mean difference over the levels, {_PAIRS}", 0, 0.5,
        shown=("model", "people", "table", "differences", *_EVERYWHERE, "ratio", "lm_eval"),
        picture=Picture("How much each group disagrees inside (disagreement, 0 to 1)", "disagreement (0: unanimous)")),
    Measure("rps", "rps", "model", _DISTANCE,
        "How far the model is from one member of the group, on average: divergence and disagreement together.",
        "S = C + U = sum of D mean (z - Q)^2", "ranked probability score", 0, 1, better=False, linear=True,
        shown=("model", *_EVERYWHERE, "changes", "gap changes", "lm_eval"),
        picture=Picture("How far the model is from a rater of each group (rps, 0 to 1)",
                        "rps (divergence + disagreement)")),
    Measure("skill", "skill", "model", _SHARE,
        "The share of what there is to know of the group that the model knows: 1 perfect, 0 only its average habit.",
        "1 - C / A", _METHOD, better=True, digits=2,
        shown=("model", "table", "spread", "changes", "wordings", "lm_eval", "screen", "beside"),
        picture=Picture("How well the model knows each group (skill, at most 1)",
                        "skill (0: only the average habit, 1: perfect)", zero=True)),
    Measure("equivalent_raters", "worth", "model", "raters",
        "The model tells as much about the group as this many of its members do.",
        "U / C", _METHOD, 0, better=True, digits=1, shown=("model", "table", "lm_eval", "screen"),
        picture=Picture("How many raters of each group the model is worth (equivalent_raters)", "raters of the group")),
    Measure("log_equivalent_raters", "log worth", "model", "log ratio",
        "By how much more the first of two sets of predictions is worth: the log of the ratio of equivalent raters.",
        "log m_A - log m_B", _METHOD, better=True, signed=True, shown=("changes",)),
    Measure("than_others", "than others", "model", _DISTANCE,
        "How much more the model moves towards a group when asked as its member than towards all others: below 0.",
        "change of C to the group - change of C to all others", _METHOD, -1.25, 1.25, signed=True),
    Measure("off_scale_median", "off scale", "model", _SHARE,
        "The median over items of the model's probability that is on none of the scale's labels.",
        "median of 1 - sum of label probabilities", _METHOD, 0, 1, better=False, digits=2, least=0),
    Measure("off_scale_mean", "off scale", "model", _SHARE,
        "The mean over items of the model's probability that is on none of the scale's labels.",
        "mean of 1 - sum of label probabilities", _METHOD, 0, 1, better=False, digits=2, least=0),
    Measure("js_similarity", "JS similarity", "model", "similarity",
        "How alike the model and the group answer: 1 equal shares, 0 no option in common.",
        "1 - sqrt(JS), JS in bits", "GlobalOpinionQA: Durmus et al. 2023, arXiv:2306.16388", 0, 1, better=True, least=0,
        shown=("shares", "table", "differences", "contrasts", "lm_eval", "first")),
    Measure("w1_alignment", "W1 alignment", "model", "similarity",
        "How near the model's answers are to the group's on ordered options: 1 equal, 0 at opposite ends.",
        "1 - W1 / longest way", "OpinionQA: Santurkar et al. 2023, arXiv:2303.17548", 0, 1, better=True, least=0,
        shown=("shares", "table", "contrasts", "lm_eval")),
    Measure("w1_plug_in", "W1", "model", _DISTANCE,
        "The earth mover's distance between the model and the ratings as they are.",
        "sum of D |F - Q|", "Wasserstein distance on the scale", 0, 1, better=False,
        few_raters=f"{_RISES}; upper bound in expectation", shown=("secondary",)),
    Measure("w1_cross_fit", "W1 cross-fit", "model", _DISTANCE,
        "The earth mover's distance with each rater's direction taken from the other raters.",
        "sum of D (z - Q) sgn(F without the rater - Q)", _METHOD, -1, 1, better=False,
        few_raters="lower bound in expectation", shown=("secondary",)),
    Measure("w1_rarefied", "W1 rarefied", "model", _DISTANCE,
        "The earth mover's distance expected with an equal number of raters of every group.",
        "E sum of D |F_m - Q|", "rarefaction, exact by the hypergeometric distribution", 0, 1, better=False, least=5,
        few_raters=_RAREFIED, shown=("secondary",)),
    Measure("tv", "TV", "model", _DISTANCE,
        "Total variation: the share of answers that would have to move, 0 equal.",
        "sum of |p - q| / 2", "total variation distance", 0, 1, better=False, few_raters=_RISES,
        shown=("shares", "table", "contrasts", "lm_eval", "secondary")),
    Measure("tv_rarefied", "TV rarefied", "model", _DISTANCE,
        "Total variation expected with an equal number of raters of every group.",
        "E sum of |p_m - q| / 2", "rarefaction, exact by the hypergeometric distribution", 0, 1, better=False, least=5,
        few_raters=_RAREFIED, shown=("secondary",)),
    Measure("js", "JS", "model", "nats",
        "The Jensen-Shannon divergence between the model and the ratings as they are.",
        "KL(p || m) / 2 + KL(q || m) / 2, m = (p + q) / 2", "Jensen-Shannon divergence", 0, _LN2, better=False,
        few_raters=_RISES, shown=("secondary",)),
    Measure("js_corrected", "JS corrected", "model", "nats",
        "The Jensen-Shannon divergence less its bias of second order.",
        "JS - (K+ - 1) / (4 n) + sum of p (1 - p) / (8 n m)", "Taylor expansion of the Jensen-Shannon divergence",
        better=False, few_raters="still high below 15 raters", shown=("secondary",)),
    Measure("js_rarefied", "JS rarefied", "model", "nats",
        "The Jensen-Shannon divergence expected with an equal number of raters of every group.",
        "E JS(p_m, q)", "rarefaction, exact by the hypergeometric distribution", 0, _LN2, better=False, least=5,
        few_raters=_RAREFIED, shown=("secondary",)),
    Measure("l2", "L2", "model", _DISTANCE,
        "The squared distance of shares, for levels without an order; an estimate may fall below 0 by chance.",
        "sum of (p - q)^2 - (1 - sum of p^2) / (n - 1)", f"Euclidean distance, {_PAIRS}", -0.5, 2, better=False,
        few_raters="none", shown=("secondary",)),
    Measure("cross_entropy", "cross-entropy", "model", "nats",
        "How surprised the model is by the group's ratings; it holds how much the group disagrees.",
        "- sum of p log(0.999 q + 0.001 / K)", "soft cross-entropy", 0, better=False, linear=True,
        few_raters="none, but its level holds the group's own entropy", shown=("secondary",)),
    Measure("pearson", "r", "model", _CORRELATION,
        "How well the model's, or scorer's, values follow the group's mean ratings from item to item.",
        "correlation of item values", "Pearson's correlation", -1, 1, better=True, digits=2, few_raters=_ATTENUATED,
        shown=("trust", "secondary", "ranks", "table")),
    Measure("spearman", "rho", "model", _CORRELATION,
        "How well the order of the model's, or scorer's, values follows the order of the group's mean ratings.",
        "Pearson's correlation of ranks", "Spearman's rank correlation", -1, 1, better=True, digits=2,
        few_raters=_ATTENUATED, shown=("secondary", "ranks")),
    Measure("kendall", "tau-b", "model", _CORRELATION,
        "Pairs of items put in the group's order less those put the other way round.",
        "(agreeing - opposite pairs) / sqrt(untied x untied)", "Kendall's tau-b", -1, 1, better=True, digits=2,
        few_raters=_ATTENUATED, shown=("secondary", "ranks")),
    Measure("qwk", "QWK", "model", _CORRELATION,
        "Agreement of a rating drawn from the model with one of the group, squared distance, beyond chance.",
        "1 - E(Y - X)^2 / E_independent(Y - X)^2",
        "quadratic weighted kappa of distributions; Lin's concordance if both are points", -1, 1, better=True,
        few_raters="little, but it depends on the group's marginal", shown=("secondary",)),
    Measure("reliability", "reliability", "group", _SHARE,
        "The share of the variance of the group's mean ratings that is no noise.",
        "1 - noise / Var(mean ratings)", "ICC(C,k) where everyone rated everything: McGraw and Wong 1996", high=1,
        digits=2, few_raters="of the raters at hand; rises with their number", shown=("trust", "secondary", "ranks")),
    Measure("pearson_disattenuated", "freed r", "model", _CORRELATION,
        "The correlation with the group's mean ratings freed from their noise; it may exceed 1 by chance.",
        "r / sqrt(reliability)", "correction for attenuation", better=True, digits=2,
        few_raters="little; refused where reliability is below 0.4", shown=("secondary",)),
    Measure("one_rater", "one rater", "group", _DISTANCE,
        "How far one rater of the group is from it: the divergence a model reaches that speaks as one of them.",
        "U", _METHOD, 0, 0.5),
    Measure("all_other_raters", "all others", "group", _DISTANCE,
        "How far all other raters of the group together are from it.",
        "U / (n - 1)", _METHOD, 0, 0.5),
    Measure("median_rater", "median rater", "group", _CORRELATION,
        "How well the median rater follows the mean of the group's other raters.",
        "median over raters of r", "as in Movva, Koh, Pierson 2024", -1, 1, digits=2),
    Measure("median_model", "median model", "model", _CORRELATION,
        "How well the model follows the means of the group's other raters, in the median.",
        "median over raters of r", "as in Movva, Koh, Pierson 2024", -1, 1, better=True, digits=2),
    Measure("percentile", "percentile", "model", _PERCENT,
        "The percentage of the group's raters that the model, or scorer, is ahead of in following the others.",
        "share of raters with a lower r, ties half", "as in Movva, Koh, Pierson 2024", 0, 100, better=True, digits=0),
    Measure("xrr", "xrr", "group", "agreement",
        "How far the group agrees with all other raters beyond chance: cross-replication reliability.",
        "1 - D_o / D_e across", "Wong et al. 2021", high=1, least=1),
    Measure("difference", "cohesion", "group", "difference of agreement",
        "How much more people of the group agree with each other than with all others.",
        "alpha - xrr", _GRASP, signed=True, shown=("table",)),
    Measure("gai", "GAI", "group", "ratio",
        "The group association index: agreement inside over agreement with all others.",
        "alpha / xrr", _GRASP),
    Measure("null_gai", "GAI by chance", "group", "ratio",
        "What the group association index of a group of this size is on average if people change groups.",
        "mean over permutations of raters", _GRASP),
    Measure("plurality_size", "plurality", "group", _SHARE,
        "The share of the most frequent level among an equal number of raters of every group.",
        "E max p_m", _GRASP, 0, 1, least=5),
    Measure("negentropy", "negentropy", "group", "nats",
        "How far the group's ratings of an item are from being spread evenly, at an equal number of raters.",
        "E[ln K - H(p_m)]", _GRASP, 0, least=5),
    Measure("voting_agreement", "voting", "group", "agreement",
        "How far the most frequent level of the group agrees with that of all others, beyond chance.",
        "nominal alpha of two votes", _GRASP, high=1, least=1),
    Measure("cross_negentropy", "cross-negentropy", "group", "nats",
        "How well all others predict a rater of the group, 0 being as well as an even spread.",
        "ln K + sum of p ln q", _GRASP, least=1),
    Measure("normalised_xrr", "normalised xrr", "group", "ratio",
        "Agreement with all others as a share of what agreement inside both would allow.",
        "xrr / sqrt(alpha alpha')", "Wong et al. 2021"),
    Measure("cliff", "cliff", "between", "difference of chances",
        "The chance that a rater of a rates an item higher than one of b, less the chance of the reverse.",
        "P(a > b) - P(a < b), within items", "Cliff's delta", -1, 1, signed=True, linear=True, least=1,
        shown=("contrasts", "plan")),
    Measure("superiority", "superiority", "between", _SHARE,
        "The chance that a rater of a rates an item higher than one of b, ties counting half.",
        "(cliff + 1) / 2", _EFFECTS, 0, 1, linear=True, least=1),
    Measure("pomp_within_items", "POMP inside items", "between", _PERCENT,
        "The difference of mean ratings inside items, as percent of the scale's length.",
        "100 mean(s_a - s_b) / (s_K - s_1)", _EFFECTS, -100, 100, signed=True, linear=True, least=1),
    Measure("pomp", "POMP", "between", _PERCENT,
        "The difference of the means of all ratings, as percent of the scale's length.",
        "100 (mean s_a - mean s_b) / (s_K - s_1)", _EFFECTS, -100, 100, signed=True, least=1),
    Measure("odds_ratios", "odds ratio", "between", "ratio",
        "How many times as large the odds of a rating at or above a level are in a as in b.",
        "odds_a / odds_b", _EFFECTS, 0, least=1),
    Measure("percent_odds_ratio", "% odds", "between", _PERCENT,
        "By how many percent the odds of a rating at or above a level are larger in a than in b.",
        "100 (odds ratio - 1)", _EFFECTS, -100, signed=True, least=1),
    Measure("percent_mean_ratio", "% mean", "between", _PERCENT,
        "By how many percent the mean rating is larger in a than in b, counted from an origin that is stated.",
        "100 (mean_a / mean_b - 1)", _EFFECTS, -100, signed=True, least=1),
    Measure("percent_exceedance", "% exceedance", "between", _PERCENT,
        "By how many percent a rating at or above a level is more frequent in a than in b.",
        "100 (P_a / P_b - 1)", _EFFECTS, -100, signed=True, least=1),
    Measure("rater_sd_difference", "rater SDs", "between", "SDs",
        "The difference of mean ratings in standard deviations between raters of a group.",
        "(mean_a - mean_b) / sd of raters", _EFFECTS, signed=True, least=1),
    Measure("tau", "SD between groups", "between", "as its statistic",
        "The standard deviation of a statistic between groups, less what chance adds.",
        "sqrt(S^2 - mean V_gg + mean V_gh)", "Lum, Zhang, Bower 2022, with the covariance of groups that share items",
        0),
    Measure("tau2", "variance between groups", "between", "as its statistic, squared",
        "The variance of a statistic between groups, less what chance adds; below 0 where chance explains more.",
        "S^2 - mean V_gg + mean V_gh", "Lum, Zhang, Bower 2022, with the covariance of groups that share items"),
    Measure("range", "largest gap", "between", "as its statistic",
        "Between which ends the largest difference of two groups lies; a bare maximum minus minimum is never given.",
        "max of |d| -+ c se over pairs", "simultaneous intervals (max-T)", 0),
    Measure("shrunken", "shrunken", "between", "as its statistic",
        "A group's value pulled towards the common mean, the more the noisier it is; for display only.",
        "empirical Bayes", "Paule and Mandel 1982"),
    Measure("probability", "P(worst)", "between", _SHARE,
        "The chance of each group to be the worst off.",
        "share of joint draws", _METHOD, 0, 1),
    Measure("ratio", "ratio", "between", "ratio",
        "A statistic of a as a multiple of that of b, where both are clear of 0.",
        "T_a / T_b", "on the log scale", 0),
    Measure("distances", "distance", "between", _DISTANCE,
        "How far two groups are from each other, in the unit of a model's divergence.",
        "sum of D [(F_a - F_b)^2 - F_a (1 - F_a) / (n_a - 1) - F_b (1 - F_b) / (n_b - 1)]", _METHOD, -0.5, 1),
    Measure("mdg", "detectable gap", "between", "as its statistic",
        "The smallest gap that would be seen with power 80 %, now, with twice the raters, with twice the items.",
        "(c + t) se", _METHOD, 0),
    Measure("marginal", "marginal gap", "between", "as its statistic",
        "The gap of the averages of cells of two axes, as people are spread over the cells.",
        "composition + within", _KITAGAWA, signed=True),
    Measure("standardised", "standardised gap", "between", "as its statistic",
        "What is left of a gap when the other axis is held fixed; nothing in it is causal.",
        "sum of w_c (T_ac - T_bc)", "direct standardisation", signed=True),
    Measure("composition", "composition", "between", "as its statistic",
        "The part of a gap that is there because people are spread over the cells differently.",
        "sum of (w_ac - w_bc) (T_ac + T_bc) / 2", _KITAGAWA, signed=True, shown=("cells",)),
    Measure("within", "within cells", "between", "as its statistic",
        "The part of a gap that is there inside the cells.",
        "sum of (T_ac - T_bc) (w_ac + w_bc) / 2", _KITAGAWA, signed=True, shown=("cells",)),
    Measure("covered", "covered", "between", _SHARE,
        "The share of raters who are in cells that count.",
        "raters in cells / raters", "plain counting", 0, 1, shown=("cells",)),
    Measure("strategies.gap", "gap", "between", POINTS,
        "The gap in mean rating under a disagreement strategy.",
        "mean s_a - mean s_b under the strategy", _METHOD, digits=2, signed=True, least=1),
    Measure("strategies.ratio", "times the gap", "between", "ratio",
        "The gap under a disagreement strategy as a multiple of that under all ratings; below 0 it turns round.",
        "gap / gap under all", _METHOD, least=1),
    Measure("strategies.tau", "order kept", "between", _CORRELATION,
        "How far a strategy keeps the order of the groups' means.",
        "Kendall's tau-b of the groups", _METHOD, -1, 1, least=1),
    Measure("kept", "disagreement kept", "between", "ratio",
        "The disagreement that is left on a coarser scale, as a share of that on the full one.",
        "U_coarse / U", _METHOD, 0),
    Measure("statistics.mean", "mean", "responses", "as its scorer",
        "The mean score of a prompt's responses, over prompts.",
        "mean over prompts of mean x", _METHOD, least=0, shown=("prompts", "table", "lm_eval")),
    Measure("expected_maximum", "exp. max", "responses", "as its scorer",
        "The highest score to be expected among k responses to a prompt; it grows with k.",
        "sum of x_(r) C(r-1, k-1) / C(n, k)", "RealToxicityPrompts: Gehman et al. 2020, unbiased for every k up to n",
        least=0, shown=("prompts", "table", "lm_eval")),
    Measure("exceedance", "exceed", "responses", _SHARE,
        "The chance that at least one of k responses to a prompt scores at the threshold or above.",
        "1 - C(n-c, k) / C(n, k)", "RealToxicityPrompts: Gehman et al. 2020, unbiased for every k up to n", 0, 1,
        least=0, shown=("prompts", "table", "lm_eval")),
    Measure("reference_mean", "reference mean", "responses", "as its scorer",
        "The mean score of the prompts' reference responses.",
        "mean over prompts of mean x of references", _METHOD, least=0, shown=("prompts", "lm_eval")),
    Measure("scorer_correlation", "r", "responses", _CORRELATION,
        "How far two scorers of one dimension say the same of the model's responses.",
        "Pearson's r of their scores, both turned so that more is worse", "jackknife over prompts", -1, 1, digits=2,
        least=0),
    Measure("concern", "concern", "responses", _SHARE,
        "How much harm the group saw in the prompts' reference responses.",
        "mean over prompts of r", _METHOD, 0, 1, digits=2, linear=True, least=1, shown=("table",)),
    Measure("exposure", "exposure", "responses", _SHARE,
        "How bad the responses are where the group saw harm; it does not say how the group would judge them.",
        "sum of r s / sum of r", _METHOD, 0, 1, better=False, least=1,
        shown=("exposures", "table", "contrasts", "spread", "lm_eval")),
    Measure("reference_exposure", "reference", "responses", _SHARE,
        "How bad the prompts' reference responses are where the group saw harm.",
        "sum of r s / sum of r", _METHOD, 0, 1, better=False, least=1,
        shown=("exposures", "table", "lm_eval")),
    Measure("flagged_share", "flagged", "scorers", _SHARE,
        "The share of texts that are flagged from a threshold on.",
        "share of texts with score >= threshold", "plain counting", 0, 1, least=0),
    Measure("harmful_share", "harmful", "scorers", _SHARE,
        "The share of the group's ratings that are on the harmful levels.",
        "mean over texts of p", "plain counting", 0, 1, digits=2, linear=True, least=1, shown=("table", "contrasts")),
    Measure("auc", "AUC", "scorers", _SHARE,
        "The chance that a text one member calls harmful scores higher than one that another calls harmless.",
        "P(score_i > score_k), ties half, over two texts and two raters",
        "two-sample U-statistic over distinct texts and raters", 0, 1, better=True, digits=2, least=1,
        shown=("trust", "table", "differences", "contrasts", "first")),
    Measure("fpr", "alarms", "scorers", _SHARE,
        "The share of what members called harmless that is flagged.",
        "sum of (1 - p) flag / sum of (1 - p)", "false positive rate against every single rating", 0, 1, better=False,
        digits=2, least=1, shown=("rates", "table", "differences", "contrasts")),
    Measure("fnr", "missed", "scorers", _SHARE,
        "The share of what members called harmful that is not flagged.",
        "sum of p (1 - flag) / sum of p", "false negative rate against every single rating", 0, 1, better=False,
        digits=2, least=1, shown=("rates", "table", "differences", "contrasts")),
    Measure("one_member.fpr", "member", "scorers", _SHARE,
        "The alarms of one other member of the group in the scorer's place.",
        "E p (1 - p) / E (1 - p)", _PAIRS, 0, 1, digits=2, shown=("one_member", "table")),
    Measure("one_member.fnr", "member", "scorers", _SHARE,
        "What one other member of the group in the scorer's place would miss.",
        "E p (1 - p) / E p", _PAIRS, 0, 1, digits=2, shown=("one_member", "table")),
    Measure("one_member.auc", "member", "scorers", _SHARE,
        "The AUC of one other member of the group in the scorer's place.",
        "1 - (fnr + fpr) / 2", _PAIRS, 0, 1, digits=2, shown=("one_member", "table")),
    Measure("disattenuated", "freed", "scorers", _CORRELATION,
        "The scorer's correlation with the group's mean ratings freed from their noise; it may exceed 1 by chance.",
        "r / sqrt(reliability)", "correction for attenuation", better=True, digits=2,
        shown=("trust", "ranks", "table", "differences", "contrasts")),
    Measure("ranks.ceiling", "at most", "scorers", _CORRELATION,
        "The highest correlation that the noise in the group's mean ratings lets any scorer reach.",
        "sqrt(reliability)", "correction for attenuation", 0, 1, digits=2, shown=("table",)),
    Measure("median_scorer", "median scorer", "scorers", _CORRELATION,
        "How well the scorer follows the means of the group's other raters, in the median.",
        "median over raters of r", "as in Movva, Koh, Pierson 2024", -1, 1, better=True, digits=2),
)
# fmt: on

_BY_NAME = {m.name: m for m in MEASURES}


def measure(name: str) -> Measure:
    """Return a measure by its name in results, without the threshold (``fnr@0.5``) or scorer (``exposure:s.d``) there.

    Raises
    ------
    KeyError
        If there is none of this name.
    """
    return _BY_NAME[name.partition("@")[0].partition(":")[0]]


def named(*places: Place, about: About | None = None) -> tuple[str, ...]:
    """Return the keys of the measures that all of the places hold, in their order; `about`: that speak of this only."""
    return tuple(m.key for m in MEASURES if {*places} <= {*m.shown} and about in (None, m.about))
