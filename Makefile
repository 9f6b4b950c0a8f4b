.DEFAULT_GOAL := help

.PHONY: venv
venv: ## make .venv with the locked versions (needs python3 >= 3.11 with its venv module)
	@setup/venv.sh

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
