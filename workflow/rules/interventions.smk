# 6 · interventions
# needs   the decoder, the dictionary, the units and the tensors of a cohort; test trials only
# makes   results/interventions/{cohort}/{hook}/   ablations, their matched controls, confusions


rule interventions:
    input:
        [],
