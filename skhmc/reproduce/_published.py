"""Published figures on the Clus collection.

AU(PRC), as Giunchiglia and Lukasiewicz print them ("Coherent Hierarchical Multi-Label
Classification Networks", NeurIPS 2020): their own C-HMCNN(h), mean of ten runs, beside
HMCN-F and HMCN-R (Wehrmann, Cerri and Barros, ICML 2018) and Clus-Ens (Schietgat et
al., BMC Bioinformatics, 2010).
"""

__all__ = ["PUBLISHED"]

METHODS = ("C-HMCNN(h)", "HMCN-F", "HMCN-R", "Clus-Ens")
FIGURES = {
    "cellcycle_FUN": (0.255, 0.252, 0.247, 0.227),
    "eisen_FUN": (0.306, 0.298, 0.298, 0.271),
    "gasch1_FUN": (0.286, 0.284, 0.283, 0.267),
    "seq_FUN": (0.292, 0.291, 0.290, 0.284),
    "cellcycle_GO": (0.413, 0.400, 0.395, 0.387),
    "eisen_GO": (0.455, 0.440, 0.435, 0.433),
    "gasch1_GO": (0.436, 0.428, 0.416, 0.415),
    "seq_GO": (0.446, 0.447, 0.443, 0.435),
    "diatoms": (0.758, 0.530, 0.514, 0.379),
    "enron": (0.756, 0.724, 0.710, 0.681),
    "imclef07a": (0.956, 0.950, 0.904, 0.777),
}
PUBLISHED = {
    method: {name: figures[k] for name, figures in FIGURES.items()}
    for k, method in enumerate(METHODS)
}
