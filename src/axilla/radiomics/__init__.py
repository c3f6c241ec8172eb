"""radiomics."""
