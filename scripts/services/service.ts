// What a service is: one file per server beside this one, entered in the catalog.

/** Where a server lives and listens. */
export interface Place {
  /** A folder of the server's own that the user it runs as can write to. */
  readonly home: string;
  readonly port: number;
  /** The user to run as where that is not the caller. */
  readonly user?: { readonly name: string; readonly uid: number; readonly gid: number };
}

export interface Start {
  readonly program: string;
  readonly args: readonly string[];
}

export interface Service {
  readonly name: string;
  /** Debian packages that bring the server. */
  readonly packages: readonly string[];
  /** Tried first; the next free one above it is taken where somebody else listens. */
  readonly port: number;
  /** Servers that refuse to run as root name the user they run as then. */
  readonly userForRoot?: string;
  /** Asks the server to finish what it does and end. */
  readonly stopSignal: NodeJS.Signals;
  /** The server's program, or undefined where its package is not installed. */
  find(): string | undefined;
  /** Makes the home ready, also when it was before, and says what to start. */
  prepare(place: Place, program: string): Promise<Start>;
  /** Resolves once the server has answered a real question; throws while it does not. Called again until it does. */
  ask(place: Place): Promise<void>;
  url(place: Place): string;
}

/** A failure that its sentence explains completely. */
export class ServiceError extends Error {}
