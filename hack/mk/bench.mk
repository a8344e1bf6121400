# Figures beside their budgets. Absolute values move with the machine: compare within one run.
##@ Measure it
.PHONY: bench
bench: build ## Figures beside budgets, kept in build/bench.jsonl; BENCH=umbral for one family
	@B=$(B) bench/run $(BENCH)
