"""Studies to compute on: CT series with structures, and frozen plans, made from a seed or from a public phantom."""
