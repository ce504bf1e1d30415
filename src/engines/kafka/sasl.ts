import type { Connection, ConnectionOptions } from "@platformatic/kafka";
import { TidingsError } from "../../errors/tidings-error.ts";
import { passwordIn } from "../../lib/password-file.ts";
import type { Client } from "./client.ts";
import { describeFailure, failureKind } from "./failure.ts";
import type { Settings } from "./options.ts";
import type { Tokens } from "./token.ts";

type Sasl = NonNullable<ConnectionOptions["sasl"]>;
type Asked = Parameters<NonNullable<Sasl["authenticate"]>>;
type Send = Asked[2];
type Answered = Asked[6];

/** How one connection proves who we are. */
export interface Proof {
  readonly sasl: Sasl;
  /** How long the broker takes it for proved, in milliseconds from then on; 0 is for ever. */
  sessionMs(): number;
  /** Why the token was refused, in our words; undefined when it was not. */
  refusal(): TidingsError | undefined;
}

/** What a new connection is proved with; undefined where nothing is. Throws TIDINGS_CREDENTIALS_UNAVAILABLE. */
export async function proofOf(client: Client, settings: Settings, tokens: Tokens): Promise<Proof | undefined> {
  const { saslMechanism: mechanism, user, token, tokenFile, passwordFile, address } = settings;
  const byToken = token !== undefined || tokenFile !== undefined;
  if (!byToken && user === undefined) return undefined;
  const ofUser = passwordFile === undefined ? settings.password : await passwordIn(passwordFile, address);
  const given = byToken ? await tokens.next() : (ofUser ?? "");
  let sessionMs = 0;
  let refusal: TidingsError | undefined;
  return {
    sasl: {
      mechanism,
      authenticate(_mechanism, connection, send, _user, _password, _token, done) {
        prove(client, settings, { connection, send, given }, (error, answer) => {
          if (byToken && error && failureKind(error) !== "away")
            refusal = refused(settings, tokens.hide(describeFailure(error)));
          if (error || !answer) return done(refusal ?? error ?? new Error("There is no answer."));
          sessionMs = Number(answer.sessionLifetimeMs);
          // The client would prove it again on the same connection. A broker takes nothing else meanwhile, and ends the
          // connection of one who sends more: another connection is made instead, see `Link`.
          done(null, { ...answer, sessionLifetimeMs: 0n });
        });
      },
    },
    sessionMs: () => sessionMs,
    refusal: () => refusal,
  };
}

interface Way {
  readonly connection: Connection;
  readonly send: Send;
  /** The token, or the password. */
  readonly given: string;
}

function prove(client: Client, settings: Settings, { connection, send, given }: Way, answered: Answered): void {
  const { saslMechanism, user = "", saslExtensions } = settings;
  const { saslOAuthBearer, saslPlain, saslScramSha } = client;
  switch (saslMechanism) {
    case "PLAIN":
      return saslPlain.authenticate(send, connection, user, given, answered);
    case "OAUTHBEARER":
      return saslOAuthBearer.authenticate(send, connection, given, { ...saslExtensions }, (error, answer) => {
        const said = answer?.authBytes?.toString() ?? "";
        if (error || said === "") return answered(error, answer);
        // It says no without an error, and waits for a word of ours before it ends the connection (RFC 7628, 3.2.3).
        send(connection, Buffer.from("\u0001"), () => answered(new Error(statusOf(said))));
      });
    case "SCRAM-SHA-256":
    case "SCRAM-SHA-512": {
      const algorithm = saslMechanism === "SCRAM-SHA-256" ? "SHA-256" : "SHA-512";
      return saslScramSha.authenticate(send, connection, algorithm, user, given, saslScramSha.defaultCrypto, answered); // prettier-ignore
    }
  }
}

/** The broker's word for what is wrong, such as `invalid_token`. */
function statusOf(said: string): string {
  try {
    const { status } = JSON.parse(said) as { status?: unknown };
    if (typeof status === "string") return status;
  } catch {
    // It is no JSON then, and said to be nothing else.
  }
  return "it is not taken";
}

function refused({ address }: Settings, why: string): TidingsError {
  return new TidingsError(
    "TIDINGS_ACCESS_DENIED",
    `The brokers of ${address} refuse the token (${why}): it has ended, is not meant for them, or is not by whom they trust.`,
    { details: { address } },
  );
}
