import networkx
from hypothesis import given
from hypothesis import strategies as st

from pipeline.flow.arrows import Arrows


@st.composite
def graphs(draw):
    """Draw what each stage needs, and whether it is drawn."""
    needs = [
        draw(st.lists(st.sampled_from(range(number)), unique=True)) if number else []
        for number in range(draw(st.integers(0, 8)))
    ]
    return needs, [draw(st.booleans()) for _ in needs]


@given(graphs())
def test_the_arrows_are_the_transitive_reduction_of_the_paths_between_drawn_stages(graph):
    needs, drawn = graph
    whole = networkx.DiGraph((need, stage) for stage, before in enumerate(needs) for need in before)
    whole.add_nodes_from(range(len(needs)))
    paths = networkx.transitive_closure(whole).subgraph(stage for stage in range(len(needs)) if drawn[stage])
    arrows, shown = Arrows(), []
    for stage, before in enumerate(needs):
        if drawn[stage]:
            shown += [(int(above), stage) for above in arrows.add(str(stage), map(str, before))]
        else:
            arrows.pass_through(str(stage), map(str, before))
    assert sorted(shown) == sorted(networkx.transitive_reduction(paths).edges)
