import { CredentialsError, GoogleApiError } from "@eventlogger/gcp/api/googleApiError";

/** An error that submit.py reports. */
export interface Failure {
  readonly kind: "exists" | "credentials" | "permission" | "unavailable" | "refused" | "other";
  /** HTTP status; 0 without a response. */
  readonly status: number;
  readonly message: string;
}

/** The pipeline could not be submitted. The message has the reason and what to do. */
export class SubmissionError extends Error {
  override readonly name = "SubmissionError";
}

/**
 * The error for a failed submission.
 * @param sent whether the request to create the job was sent
 * @param log the log of the submitter
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
        `Job ${jobName} is already active: ${message}\n` +
          "Replace it with `eventlogger update`, end it with `eventlogger drain`, or choose another --job-name. " +
          "Two jobs on one subscription would each receive only a part of the events.",
      );
    case "unavailable":
      return new SubmissionError(
        `Google's services did not respond after several attempts: ${message}\n` +
          (sent
            ? `The job may have been created. Check it with \`eventlogger status --job-name ${jobName}\`.`
            : "No job was created. Try again later."),
      );
    case "refused":
      return new SubmissionError(`The job was rejected (HTTP ${status}): ${message}`);
    case "other":
      return new SubmissionError(`Cannot submit the job: ${message}\nEnd of ${log.file}:\n${log.tail}`);
  }
}
