"""The upload of a publication to a repository of the Hugging Face Hub, in one commit."""

from pathlib import Path
from tempfile import TemporaryDirectory

from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError

from pipeline.core.errors import EnvironmentFault, PipelineError, UsageError, listed
from pipeline.core.files import read_json
from pipeline.publish.contents import NUMBERS, PROVENANCE, may_publish
from pipeline.publish.publication import Publication

_FORBIDDEN = (401, 403)


def send_to_hub(publication: Publication, staged: Path, repository: str) -> str:
    """Upload the files to OWNER/NAME, made private if it is new, and return the address of the commit.

    All files go in one commit: the repository has the old version or the new one. Files that are there already are not
    sent again, and those that the version before has brought and this one lacks are deleted. The token is the one
    that `hf auth login` or HF_TOKEN gives.

    Raises:
        UsageError: The name is none of a repository, or the token is missing or may not write there.
        EnvironmentFault: The hub could not be reached, or failed.
    """
    api = HfApi()
    try:
        api.create_repo(repository, private=True, exist_ok=True)
        done = api.upload_folder(
            repo_id=repository,
            folder_path=staged,
            allow_patterns=[file.path for file in publication.files],
            delete_patterns=_list_outdated(api, publication, repository) or None,
            commit_message=f"Publish {publication.task} {publication.version}",
            commit_description=f"From commit {publication.commit}; see provenance.json.",
        )
    except (HFValidationError, LocalTokenNotFoundError) as error:
        raise UsageError(f"hub:{repository}: {error}. Correct the name, or run `hf auth login`.") from error
    except PipelineError:
        raise
    except Exception as error:  # the library stands on an HTTP client and a transfer engine with errors of their own
        reason = listed([str(error)], width=300)
        if isinstance(error, HfHubHTTPError) and error.response.status_code in _FORBIDDEN:
            fix = "Run `hf auth login` with a token that may write there."
            raise UsageError(f"hub:{repository}: refused, {reason}. {fix}") from error
        raise EnvironmentFault(f"hub:{repository}: not published, {reason}. Run again later.") from error
    return str(done.commit_url)


def _list_outdated(api: HfApi, publication: Publication, repository: str) -> list[str]:
    """Return the files that the version before has brought, as its provenance says, and this one lacks.

    What a person has put there stays, even beside them.

    Raises:
        EnvironmentFault: The provenance there is damaged.
    """
    if not api.file_exists(repository, PROVENANCE):
        return []
    with TemporaryDirectory() as scratch:
        downloaded = Path(api.hf_hub_download(repository, PROVENANCE, local_dir=scratch))
        before = read_json(downloaded, fix=f"Remove {PROVENANCE} from the repository, then publish again.")
    brought = {path for path in before.get("files", ()) if may_publish(path) or path in NUMBERS}
    return sorted(brought - {file.path for file in publication.files})
