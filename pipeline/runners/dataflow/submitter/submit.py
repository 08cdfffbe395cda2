"""Submits a pipeline proto to Dataflow with Beam's Python runner, or writes the request to files (dry run).

Usage: submit.py REQUEST, a JSON file with
  pipeline       path of the pipeline proto
  flags          pipeline options of Beam, as on a command line
  nodeModules    modules that a worker loads at its start
  replaceJobId   id of the job that the new job replaces, or null
  outputDir      folder for pipeline.pb and job.json of a dry run; null submits the pipeline

Prints one JSON object per line to standard output; the last one is the result. Logs go to standard error.
"""

import io
import json
import logging
import os
import re
import sys
from typing import Any, BinaryIO, Optional

import google.auth
import google.auth.transport.requests
from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.runners.dataflow.dataflow_runner import DataflowRunner
from apache_beam.runners.dataflow.internal import apiclient
from apache_beam.utils import retry
from google.api_core.exceptions import GoogleAPICallError
from google.auth.exceptions import GoogleAuthError, TransportError
from google.cloud.storage.exceptions import InvalidResponse
from google.cloud.storage.fileio import BlobWriter

CHUNK_BYTES = 16 * 1024 * 1024
EVENTS = os.fdopen(os.dup(1), "w", buffering=1)


def report(event: str, **fields: Any) -> None:
    print(json.dumps({"event": event, **fields}), file=EVENTS, flush=True)


class Refused(retry.PermanentException):
    """A permanent error. Beam retries all other errors for ten minutes."""


class Client(apiclient.DataflowApplicationClient):
    """Beam's client with progress reports."""

    uploaded = False

    def _gcs_file_copy(self, from_path: str, to_path: str, sha256: str) -> None:
        name, size = os.path.basename(to_path), os.path.getsize(from_path)
        report("staging", file=name, bytes=size)
        self.uploaded = False
        super()._gcs_file_copy(from_path, to_path, sha256)
        report("staged", file=name, bytes=size, uploaded=self.uploaded)

    def stage_file(
        self,
        gcs_or_local_path: str,
        file_name: str,
        stream: BinaryIO,
        mime_type: str = "application/octet-stream",
        total_size: Optional[int] = None,
    ) -> None:
        """Uploads in chunks. Beam's own method reads the whole file and requests the bucket and the object first."""
        bucket, _, folder = gcs_or_local_path.removeprefix("gs://").partition("/")
        blob = self._storage_client.bucket(bucket).blob(f"{folder}/{file_name}")
        sent = 0
        try:
            with BlobWriter(blob, chunk_size=CHUNK_BYTES, content_type=mime_type) as writer:
                while chunk := stream.read(CHUNK_BYTES):
                    writer.write(chunk)
                    sent += len(chunk)
                    report("uploading", sent=sent)
        except (GoogleAPICallError, InvalidResponse) as error:
            if status_of(error) in (408, 429) or status_of(error) >= 500:
                raise
            raise Refused(f"Cannot upload to {gcs_or_local_path}") from error
        self.uploaded = True

    def submit_job_description(self, job: apiclient.Job) -> Any:
        report("submitting")
        return super().submit_job_description(job)


class DryRunClient(Client):
    """Creates the same request with the same URLs, but writes it to a file. Needs no service and no credentials."""

    output_dir = ""

    def __init__(self, options: PipelineOptions, root_staging_location: Optional[str] = None) -> None:
        cloud = options.view_as(GoogleCloudOptions)
        cloud.no_auth = True
        super().__init__(options, root_staging_location)
        cloud.no_auth = False  # the job would be submitted with credentials

    def _gcs_file_copy(self, from_path: str, to_path: str, sha256: str) -> None:
        report("staged", file=os.path.basename(to_path), bytes=os.path.getsize(from_path), uploaded=False)

    def stage_file(
        self,
        gcs_or_local_path: str,
        file_name: str,
        stream: BinaryIO,
        mime_type: str = "application/octet-stream",
        total_size: Optional[int] = None,
    ) -> None:
        with open(os.path.join(self.output_dir, file_name), "wb") as file:
            file.write(stream.read())

    def submit_job_description(self, job: apiclient.Job) -> None:
        self.stage_file(self.output_dir, "job.json", io.BytesIO(job.json().encode()))


def check_credentials(options: PipelineOptions) -> None:
    """Fails at once. Beam would continue anonymously, or retry for minutes."""
    scopes = options.view_as(GoogleCloudOptions).gcp_oauth_scopes
    credentials, _ = google.auth.default(scopes=scopes)
    credentials.refresh(google.auth.transport.requests.Request())


def status_of(error: Optional[BaseException]) -> int:
    """The HTTP status that caused an error; 0 without a response."""
    while error is not None:
        if isinstance(error, GoogleAPICallError) and error.code:
            return int(error.code)
        if isinstance(error, InvalidResponse):
            return int(error.response.status_code)
        error = error.__cause__ or error.__context__
    return 0


def reason_of(error: BaseException) -> str:
    """The message of a service, without the URL of the request."""
    if isinstance(error, Refused):
        return f"{error}: {reason_of(error.__cause__)}" if error.__cause__ else str(error)
    if isinstance(error, InvalidResponse):
        try:
            return str(error.response.json()["error"]["message"])
        except (KeyError, TypeError, ValueError):
            return str(error.response.text)[:300]
    if isinstance(error, GoogleAPICallError):
        return re.sub(r"^[A-Z]+ https?://\S+: ", "", str(error.message))
    return str(error)


def kind_of(error: Exception) -> str:
    if isinstance(error, apiclient.DataflowJobAlreadyExistsError):
        return "exists"
    if isinstance(error, GoogleAuthError):
        return "unavailable" if isinstance(error, TransportError) else "credentials"
    status = status_of(error)
    if status == 0:
        return "other"
    if status >= 500 or status in (408, 429):
        return "unavailable"
    return {401: "credentials", 403: "permission", 409: "exists"}.get(status, "refused")


def run(request: dict[str, Any]) -> None:
    with open(request["pipeline"], "rb") as file:
        pipeline = beam_runner_api_pb2.Pipeline.FromString(file.read())
    options = PipelineOptions(request["flags"], registered_node_modules=request["nodeModules"])
    if request["outputDir"] is None:
        check_credentials(options)
        apiclient.DataflowApplicationClient = Client
    else:
        DryRunClient.output_dir = request["outputDir"]
        apiclient.DataflowApplicationClient = DryRunClient
    if request["replaceJobId"] is not None:
        # Beam would look for the job by name, without end if there is no such job.
        apiclient.Job.job_id_for_name = lambda _job, _name: request["replaceJobId"]
    result = DataflowRunner().run_pipeline(None, options, pipeline)
    report("done", jobId=result.job_id() if result.has_job else None)


def main() -> int:
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    sys.stdout = sys.stderr  # output of libraries is not an event
    with open(sys.argv[1], encoding="utf-8") as file:
        request = json.load(file)
    try:
        run(request)
        return 0
    except Exception as error:  # pylint: disable=broad-except
        logging.exception("not submitted")
        report("failed", kind=kind_of(error), status=status_of(error), message=reason_of(error))
        return 1


if __name__ == "__main__":
    sys.exit(main())
