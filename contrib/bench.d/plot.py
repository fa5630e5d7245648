#!/usr/bin/env python3
"""Draws the results of contrib/bench: plot.py results.json picture.png"""
import json
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402, as the backend has to be chosen first

COLOURS = {"warm": "#2a7f62", "cold": "#b5524a", "kept": "#5b7db1", "empty": "#999999"}
LEGEND = {
    "warm": "through hotlined",
    "cold": "a connection of its own for each answer",
    "kept": "a connection of its own, kept open",
    "empty": "a process that does nothing",
}


def panel(axes, rows, title):
    rows = rows[::-1]
    medians = [row["median_ms"] for row in rows]
    reach = [
        [row["median_ms"] - row["p10_ms"] for row in rows],
        [row["p90_ms"] - row["median_ms"] for row in rows],
    ]
    colours = [COLOURS[row["kind"]] for row in rows]
    axes.barh([row["what"] for row in rows], medians, xerr=reach, color=colours, ecolor="#444444")
    for place, row in enumerate(rows):
        axes.annotate(
            f" {row['median_ms']:.1f}", (row["p90_ms"], place), va="center", fontsize=8
        )
    axes.set_title(title, fontsize=10)
    axes.margins(x=0.15)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)


def main(source, target):
    with open(source, encoding="utf-8") as file:
        results = json.load(file)
    rows = results["rows"]
    distances = sorted({row["round_trip_ms"] for row in rows})
    places = list(dict.fromkeys(row["place"] for row in rows))
    heights = [len({row["what"] for row in rows if row["place"] == place}) for place in places]
    figure, grid = plt.subplots(
        len(places), len(distances), squeeze=False, layout="constrained",
        figsize=(6.5 * len(distances), 1.8 + 0.32 * sum(heights)),
        gridspec_kw={"height_ratios": heights},
    )
    for y, place in enumerate(places):
        for x, distance in enumerate(distances):
            chosen = [
                row for row in rows if (row["place"], row["round_trip_ms"]) == (place, distance)
            ]
            panel(grid[y][x], chosen, f"{place}, round trip {distance:g} ms")
            grid[y][x].set_xlabel("ms to the first word: median, 10 % to 90 %", fontsize=8)
    patches = [plt.Rectangle((0, 0), 1, 1, color=COLOURS[kind]) for kind in LEGEND]
    figure.legend(patches, LEGEND.values(), loc="outside lower center", ncols=4, fontsize=8)
    machine = results["conditions"]
    figure.suptitle(
        f"Time to the first word of an answer, by a server whose model takes no time\n"
        f"{machine['processor']}, {machine['cores']} cores, {machine['date'][:10]}",
        fontsize=11,
    )
    figure.savefig(target, dpi=110)


main(*sys.argv[1:])
