from pipeline.report.identity import identify_results
from tests.given.reporting import make_task, pretraining


def test_the_same_documents_have_the_same_identity() -> None:
    assert identify_results([make_task()], None, []) == identify_results([make_task()], None, [])


def test_any_other_document_has_another() -> None:
    changed = make_task()
    changed.history["device"]["threads"] = 3
    identities = [
        identify_results([make_task()], None, []),
        identify_results([changed], None, []),
        identify_results([make_task()], {"tasks": []}, []),
        identify_results([make_task()], None, [pretraining()]),
        identify_results([make_task(), make_task()], None, []),
    ]
    assert len(set(identities)) == len(identities)
    assert all(len(identity) == 12 and set(identity) <= set("0123456789abcdef") for identity in identities)
