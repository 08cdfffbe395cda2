import { CredentialsError, GoogleApiError } from "@eventlogger/gcp/api/googleApiError";

/** How submit.py says what went wrong. */
export interface Failure {
  readonly kind: "exists" | "credentials" | "permission" | "unavailable" | "refused" | "other";
  /** HTTP status; 0 when there is none. */
  readonly status: number;
  readonly message: string;
}

/** The pipeline could not be submitted; the message says why, and what to do. */
export class SubmissionError extends Error {
  override readonly name = "SubmissionError";
}

/**
 * @param sent whether the request to create the job was on its way
 * @param log where more is written
 */
export function submissionError(
  { kind, status, message }: Failure,
  jobName: string,
  sent: boolean,
  log: { readonly file: string; readonly tail: string },
): Error {
  switch (kind) {
    case "credentials":
      return new CredentialsError(message);
    case "permission":
      return new GoogleApiError("Cannot submit the job", status, message);
    case "exists":
      return new SubmissionError(
        `There is an active job named ${jobName} already: ${message}\n` +
          "Replace it with `eventlogger update`, end it with `eventlogger drain`, or choose another --job-name. " +
          "Two jobs on one subscription would each get a part of the events.",
      );
    case "unavailable":
      return new SubmissionError(
        `Google's services did not answer after several attempts: ${message}\n` +
          (sent
            ? `The job may have been created all the same: see \`eventlogger status --job-name ${jobName}\`.`
            : "No job was created. Try again later."),
      );
    case "refused":
      return new SubmissionError(`The job was refused (HTTP ${status}): ${message}`);
    case "other":
      return new SubmissionError(`Cannot submit the job: ${message}\nThe end of ${log.file}:\n${log.tail}`);
  }
}
