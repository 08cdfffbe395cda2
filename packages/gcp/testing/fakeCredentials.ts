import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { googleError, type FakeAnswer, type FakeService } from "./fakeServer";

const TOKEN = "fake-access-token";

/**
 * Writes Application Default Credentials whose tokens come from a fake token service. They belong to a federated identity:
 * only for this kind do Google's libraries for both Node and Python read the token URL from the file.
 * @returns the path of the file
 */
export function writeFakeCredentials(dir: string, tokenServer: string): string {
  const subjectToken = join(dir, "subject-token");
  const credentials = join(dir, "credentials.json");
  writeFileSync(subjectToken, "subject");
  writeFileSync(
    credentials,
    JSON.stringify({
      type: "external_account",
      audience: "//iam.googleapis.com/locations/global/workforcePools/fake/providers/fake",
      subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
      token_url: `${tokenServer}/v1/token`,
      credential_source: { file: subjectToken },
    }),
  );
  return credentials;
}

/** A fake token service. */
export const fakeTokens: FakeService = ({ method, path }) =>
  method === "POST" && path === "/v1/token"
    ? {
        status: 200,
        body: {
          access_token: TOKEN,
          issued_token_type: "urn:ietf:params:oauth:token-type:access_token",
          token_type: "Bearer",
          expires_in: 3600,
        },
      }
    : undefined;

/** The response of the token service for an expired login. */
export const EXPIRED: FakeAnswer = {
  status: 400,
  body: { error: "invalid_grant", error_description: "Token has been expired or revoked." },
};

/** Passes only requests with a token from {@link fakeTokens} to a service. */
export function withToken(service: FakeService): FakeService {
  return (request) => {
    const answer = service(request);
    if (!answer || request.headers.authorization === `Bearer ${TOKEN}`) return answer;
    return googleError(401, "Request had invalid authentication credentials.");
  };
}
