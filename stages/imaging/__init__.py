"""Array code on pictures and mattes: measures, crops, colours, edges; no network, no settings of stages but crops."""
