"""The upload of a publication to a repository of the Hugging Face Hub, in one commit."""

from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError

from pipeline.core.errors import EnvironmentFault, UsageError, listed
from pipeline.publish.publication import Publication

_FORBIDDEN = (401, 403)
_REPLACED = ["onnx/*", "model*.safetensors*", "calibration.json"]  # a bundle with a file of another version is refused


def send_to_hub(publication: Publication, staged: Path, repository: str) -> str:
    """Upload the files to OWNER/NAME, made private if it is new, and return the address of the commit.

    All files go in one commit: the repository has the old version or the new one. Files that are there already are not
    sent again, and those of an older version that this one lacks are deleted. The token is the one that `hf auth login`
    or HF_TOKEN gives.

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
            delete_patterns=_REPLACED,
            commit_message=f"Publish {publication.task} {publication.version}",
            commit_description=f"From commit {publication.commit}; see provenance.json.",
        )
    except (HFValidationError, LocalTokenNotFoundError) as error:
        raise UsageError(f"hub:{repository}: {error}. Correct the name, or run `hf auth login`.") from error
    except Exception as error:  # the library stands on an HTTP client and a transfer engine with errors of their own
        reason = listed([str(error)], width=300)
        if isinstance(error, HfHubHTTPError) and error.response.status_code in _FORBIDDEN:
            fix = "Run `hf auth login` with a token that may write there."
            raise UsageError(f"hub:{repository}: refused, {reason}. {fix}") from error
        raise EnvironmentFault(f"hub:{repository}: not published, {reason}. Run again later.") from error
    return str(done.commit_url)
